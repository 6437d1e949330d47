//! Where functions start, by the unwinder's table `.eh_frame`: for files without the sorted table beside it,
//! as static programs are.
//!
//! Source: LSB Core, "Exception Frames" (CIE and FDE).

/// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`: a 32-bit distance from the place where it stands.
const RELATIVE: u8 = 0x1b;

/// The first instructions of the functions in the section `data`, which is loaded at `address`. What is
/// damaged, or encoded in another way, is left out.
pub(super) fn starts(data: &[u8], address: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = 0_usize;
    while let Some(length) = word(data, at).filter(|length| *length != 0 && *length != u32::MAX) {
        let body = at + 4;
        let Some(next) = body.checked_add(length as usize).filter(|next| *next <= data.len()) else { break };
        match word(data, body) {
            None => break,
            // A CIE: what its functions have in common.
            Some(0) => {}
            Some(back) => {
                let cie = body.checked_sub(back as usize);
                if cie.is_some_and(|cie| encoding(data, cie) == Some(RELATIVE))
                    && let Some(distance) = word(data, body + 4)
                {
                    let place = address.wrapping_add(body as u64 + 4);
                    found.push(place.wrapping_add_signed(i64::from(distance.cast_signed())));
                }
            }
        }
        at = next;
    }
    found
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// How the CIE at this place encodes addresses of functions.
fn encoding(data: &[u8], cie: usize) -> Option<u8> {
    // Behind length and id: the version, the augmentation, two factors, the register of the return address.
    if word(data, cie + 4)? != 0 {
        return None;
    }
    let mut rest = data.get(cie + 8..)?;
    let version = take(&mut rest)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let letters = rest[..end].strip_prefix(b"z")?;
    rest = &rest[end + 1..];
    skip_number(&mut rest)?;
    skip_number(&mut rest)?;
    if version == 1 {
        take(&mut rest)?;
    } else {
        skip_number(&mut rest)?;
    }
    skip_number(&mut rest)?;
    for letter in letters {
        match letter {
            b'R' => return take(&mut rest),
            b'L' => {
                take(&mut rest)?;
            }
            b'P' => {
                let size = if matches!(take(&mut rest)? & 0x0f, 0 | 4 | 12) { 8 } else { 4 };
                rest = rest.get(size..)?;
            }
            b'S' | b'B' => {}
            _ => return None,
        }
    }
    None
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

/// A number in LEB128.
fn skip_number(rest: &mut &[u8]) -> Option<()> {
    while take(rest)? & 0x80 != 0 {}
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CIE with this augmentation and its data, and an FDE of a function `distance` from where that is
    /// said.
    fn section(letters: &[u8], data: &[u8], distance: i32) -> Vec<u8> {
        let mut cie = [&[0, 0, 0, 0, 1], letters, &[0, 1, 0x78, 16, data.len() as u8], data].concat();
        cie.resize(cie.len().next_multiple_of(4), 0);
        let mut all = [&(cie.len() as u32).to_le_bytes()[..], &cie].concat();
        let back = all.len() as u32 + 4;
        all.extend(
            [16_u32.to_le_bytes(), back.to_le_bytes(), distance.to_le_bytes(), 8_u32.to_le_bytes(), [0; 4]].concat(),
        );
        all.extend([0; 4]);
        all
    }

    #[test]
    fn a_function_is_found_by_its_distance() {
        let plain = section(b"zR", &[RELATIVE], -0x100);
        let place = 0x5000 + plain.len() as u64 - 16;
        assert_eq!(starts(&plain, 0x5000), [place - 0x100]);
        let personal = section(b"zPLR", &[0x9b, 1, 2, 3, 4, RELATIVE, RELATIVE], 0x20);
        assert_eq!(starts(&personal, 0).len(), 1);
    }

    #[test]
    fn what_is_damaged_or_encoded_otherwise_is_left_out() {
        assert!(starts(&section(b"zR", &[0x00], 0), 0).is_empty());
        let whole = section(b"zR", &[RELATIVE], 4);
        for length in 0..whole.len() {
            assert!(starts(&whole[..length], 0).len() <= 1);
        }
        assert!(starts(&[0xff; 64], 0).is_empty());
    }
}
