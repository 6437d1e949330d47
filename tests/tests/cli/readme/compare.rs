//! Whether the lines of a transcript are those of an output.
//!
//! | in a transcript | comparison |
//! |---|---|
//! | numbers, addresses, times, tokens, widths of columns, the strip of a map | ignored: they vary |
//! | a line of `...` | stands for any lines; `...` at the end of a line stands for the rest of that line |
//! | a frame of a stack, `#3  name  at file` | some frame has this function and file, if there are stacks |
//! | the remark that libc has exported names only | ignored: it belongs to a machine without debug files |
//! | the outcome `delivered` of a setup that `may` deliver | ignored: whether it occurs belongs to a run |
//! | every other line | equal, in this order; after the last line the output ends |

use rstest::rstest;

/// A line without the parts that belong to a run, a build or a machine. `None` for a line of the strip of a
/// map, for the remark on names, and for an empty line.
pub fn plain(line: &str) -> Option<String> {
    let words: Vec<_> = line.split_whitespace().collect();
    let strip = |word: &&str| word.len() > 3 && word.chars().all(|c| matches!(c, '.' | 'A'..='Z'));
    let first = *words.first()?;
    if first.starts_with('(') && line.contains("only exported functions have names") {
        return None;
    }
    if words.len() == 2 && first.parse::<u32>().is_ok() && words.last().is_some_and(strip) {
        return None;
    }
    // The ends of a vulnerable range are instructions of this machine.
    if matches!(first, "first" | "last") {
        return Some(first.to_owned());
    }
    let line = words.iter().map(|word| plain_word(word)).collect::<Vec<_>>().join(" ");
    // Whether an outcome that may occur does so is up to the run.
    Some(if line.contains("may delivered") { line.replace(" delivered N,", "") } else { line })
}

fn plain_word(word: &str) -> String {
    if word.starts_with("---") {
        return "---".to_owned();
    }
    // A token names its setup, and then what belongs to this build.
    let word = match word.split_once('@') {
        Some((setup, _)) => format!("{setup}@"),
        None => word.to_owned(),
    };
    if matches!(word.trim_end_matches([';', ',']), "ns" | "\u{b5}s" | "ms" | "s" | "min") {
        return word.replace(|c: char| c.is_alphanumeric(), "") + "TIME";
    }
    let mut out = String::new();
    let mut rest = word.as_str();
    while let Some(c) = rest.chars().next() {
        let number =
            rest.find(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ',' | '.' | 'x'))).unwrap_or(rest.len());
        if c.is_ascii_digit() {
            // A full stop or a comma behind the digits is punctuation.
            let digits = rest[..number].trim_end_matches([',', '.']).len();
            out.push('N');
            rest = &rest[digits..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The function and the file of a frame.
pub fn frame(line: &str) -> Option<(String, String)> {
    let line = line.trim_start().strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
    let name = line.split_whitespace().skip(1).take_while(|word| !matches!(*word, "at" | "in")).collect::<Vec<_>>();
    let name = name.join(" ");
    let name = name.split("+0x").next().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned();
    let file = line.split("  at ").nth(1).and_then(|place| place.split(':').next()).unwrap_or_default().to_owned();
    Some((name, file))
}

/// Whether an output line is the one that a transcript shows; both are [`plain`].
pub fn is_it(wanted: &str, line: &str) -> bool {
    match wanted.strip_suffix("...") {
        Some(beginning) => line.starts_with(beginning.trim_end()),
        None => line == wanted,
    }
}

/// Compares the shown lines with the output: in order, and without a gap where no `...` stands.
pub fn compare(shown: &[String], output: &str) -> Result<(), String> {
    let frames: Vec<_> = output.lines().filter_map(frame).collect();
    let wanted: Vec<_> = shown.iter().filter_map(|line| frame(line)).collect();
    if let Some(wanted) = wanted.iter().find(|wanted| !frames.is_empty() && !frames.contains(wanted)) {
        return Err(format!("no frame is {wanted:?}"));
    }
    // A diagnosis without stacks also has other sentences.
    let without_stacks = frames.is_empty() && !wanted.is_empty();
    let output: Vec<_> = output.lines().filter(|line| frame(line).is_none()).filter_map(plain).collect();
    let blocks = blocks(shown, without_stacks);
    let (mut at, last) = (0, blocks.len() - 1);
    for (number, block) in blocks.iter().enumerate() {
        let end = output.len().saturating_sub(block.len());
        // The first block begins the output and the last one ends it; others stand where they first match.
        let places = match (number == 0, number == last) {
            (true, _) => 0..=0,
            (_, true) => end.max(at)..=end.max(at),
            (false, false) => at..=end.max(at),
        };
        let tried = places.map(|place| (place, matches(block, &output[place.min(output.len())..])));
        let tried: Vec<_> = tried.collect();
        match tried.iter().find(|(_, matched)| matched.is_ok()) {
            Some((place, _)) => at = place + block.len(),
            None => return tried.into_iter().next().map_or(Ok(()), |(_, matched)| matched),
        }
    }
    match output.get(at) {
        Some(line) if last == 0 => Err(format!("the output goes on: {line}")),
        _ => Ok(()),
    }
}

/// The shown lines that stand side by side, each [`plain`]: a `...` is between two blocks.
fn blocks(shown: &[String], without_stacks: bool) -> Vec<Vec<String>> {
    let (mut blocks, mut diagnosis) = (vec![Vec::new()], false);
    for line in shown.iter().filter(|line| frame(line).is_none()) {
        diagnosis = (diagnosis || line.starts_with("## ")) && !line.starts_with("repeat with:");
        if line.trim() == "..." || diagnosis && without_stacks && !line.starts_with("## ") {
            blocks.push(Vec::new());
        } else if let (Some(line), Some(block)) = (plain(line), blocks.last_mut()) {
            block.push(line);
        }
    }
    blocks
}

/// Whether the output begins with this block.
fn matches(block: &[String], output: &[String]) -> Result<(), String> {
    for (at, wanted) in block.iter().enumerate() {
        if !output.get(at).is_some_and(|line| is_it(wanted, line)) {
            return Err(format!("not there: {wanted}\ninstead: {:?}", output.get(at)));
        }
    }
    Ok(())
}

#[rstest]
#[case::numbers("a 12 b", "a 7 b\n", true)]
#[case::times("after 10.7 ms (x)", "after 1.2 s (x)", true)]
#[case::widths(" case   note", " case                note", true)]
#[case::may("x delivered 1, late 5 must late; may delivered", "x late 4 must late; may delivered", true)]
#[case::must("x delivered 1, late 5 must delivered", "x late 4 must delivered", false)]
#[case::another_word("a 12 b", "a 12 c", false)]
#[case::a_line_less("a\nc", "a\nb\nc", false)]
#[case::left_out("a\n...\nc", "a\nb\nc", true)]
#[case::the_output_goes_on("a", "a\nb", false)]
#[case::its_rest_is_left_out("a\n...", "a\nb", true)]
#[case::found_later("a\n...\nb 7\nc\n...", "a\nb 1\nx\nb 2\nc\nd", true)]
#[case::found_apart("a\n...\nb 7\nc\n...", "a\nb 1\nx\nc\nd", false)]
#[case::the_last_of_a_kind("a\n...\nb 1", "a\nb 2\nx\nb 3", true)]
#[case::goes_on_behind_a_gap("a\n...\nb 1", "a\nb 2\nx", false)]
#[case::once_for_each("a\n...\nb\n...\nb", "a\nb", false)]
#[case::nothing_is_stacked("## x\n1 a\n2 b", "## x\n1 a\n2 c", false)]
#[case::not_there("a\n...\nd", "a\nb\nc", false)]
#[case::rest_of_a_line("a b ...", "a b c d", true)]
#[case::another_line("a b ...", "a c d", false)]
#[case::frame("#1  x::lock+0x1  at a/b.rs:1", "#9  y::z::lock+0x7  at a/b.rs:8", true)]
#[case::no_such_frame("#1  x::lock+0x1  at a/b.rs:1", "#9  y::z::unlock+0x7  at a/b.rs:8", false)]
#[case::frame_of_another_file("#1  x::lock+0x1  at a/b.rs:1", "#9  y::z::lock+0x7  at a/c.rs:8", false)]
#[case::no_stacks("## x\nwaits for it\n#1  x::lock+0x1\nrepeat with: x", "## x\nno stacks\nrepeat with: x", true)]
fn what_is_compared(#[case] shown: &str, #[case] output: &str, #[case] alike: bool) {
    let shown: Vec<_> = shown.lines().map(str::to_owned).collect();
    let compared = compare(&shown, output);
    assert_eq!(compared.is_ok(), alike, "{compared:?}");
}
