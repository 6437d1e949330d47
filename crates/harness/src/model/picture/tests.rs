//! Pictures are well-formed, whatever the steps are called.

use super::*;

fn picture() -> Picture {
    let node = |thread, depth, text: &str| Node { thread, depth, text: text.to_owned(), place: "a.rs:1".to_owned() };
    let edge = |from, to, kind| Edge { from, to, kind, in_cycle: kind == Kind::Fr };
    Picture {
        threads: vec!["main".to_owned(), "an \"odd\" <name> & more".to_owned()],
        nodes: vec![
            node(0, 0, "x: store Relaxed 0x1"),
            node(1, 0, "y: load Acquire = 0x0 \\ \"quoted\" <T>"),
            node(0, 1, "signal: sample interrupts"),
            node(0, 2, "signal: other interrupts"),
            node(0, 0, "x: load Relaxed = 0x1"),
        ],
        edges: vec![
            edge(0, 2, Kind::Po),
            edge(2, 3, Kind::Po),
            edge(0, 4, Kind::Rf),
            edge(1, 0, Kind::Fr),
            edge(0, 1, Kind::Co),
            edge(4, 1, Kind::System),
        ],
    }
}

/// The text of a DOT file outside of its strings, and the strings.
fn without_strings(dot: &str) -> (String, Vec<String>) {
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut letters = dot.chars();
    while let Some(letter) = letters.next() {
        if letter != '"' {
            code.push(letter);
            continue;
        }
        let mut string = String::new();
        loop {
            match letters.next().expect("a string ends") {
                '"' => break,
                '\\' => string.extend(letters.next()),
                letter => string.push(letter),
            }
        }
        strings.push(string);
    }
    (code, strings)
}

#[test]
fn dot_is_well_formed() {
    let picture = picture();
    let (code, strings) = without_strings(&picture.dot());
    let mut open = 0_i32;
    for letter in code.chars() {
        open += i32::from(letter == '{') - i32::from(letter == '}');
        assert!(open >= 0, "{code}");
    }
    assert_eq!(open, 0, "{code}");
    for number in 0..picture.nodes.len() {
        assert_eq!(code.matches(&format!(" s{number} [label=];")).count(), 1, "each node once: {code}");
    }
    assert_eq!(code.matches(" -> ").count(), picture.edges.len());
    for edge in &picture.edges {
        let line = format!("s{} -> s{} [label={},", edge.from, edge.to, edge.kind.as_str());
        assert!(code.contains(&line), "{line} in {code}");
    }
    assert_eq!(code.matches("label=handler").count(), 2, "one within the other: {code}");
    assert!(strings.iter().any(|string| string.contains("an \"odd\" <name>")), "{strings:?}");
}

/// The tags of an XML text, which must be nested, and the values of an attribute.
fn check_xml(xml: &str) -> Vec<String> {
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let mut rest = xml;
    while let Some((text, behind)) = rest.split_once('<') {
        assert!(!text.contains('>'), "{text}");
        let escapes = text.matches('&').count();
        let known = ["&amp;", "&lt;", "&gt;", "&quot;"].iter().map(|known| text.matches(known).count()).sum::<usize>();
        assert_eq!(escapes, known, "{text}");
        let (tag, behind) = behind.split_once('>').expect("a tag ends");
        assert!(tag.matches('"').count() % 2 == 0 && !tag.contains('<'), "{tag}");
        rest = behind;
        tags.push(tag.to_owned());
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "{xml}");
        } else if !tag.ends_with('/') {
            open.push(tag.split(' ').next().unwrap_or_default().to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    tags
}

#[test]
fn svg_is_well_formed() {
    let picture = picture();
    let tags = check_xml(&picture.svg());
    let count = |start: &str| tags.iter().filter(|tag| tag.starts_with(start)).count();
    assert_eq!(count("path class="), picture.edges.len(), "{tags:#?}");
    assert_eq!(count("title"), picture.nodes.len(), "each node has its whole text");
    assert!(!tags.iter().any(|tag| tag.contains("href") || tag.contains("@import")), "it needs nothing else");
    assert_eq!(count("marker "), Kind::ALL.len());
}

#[test]
fn a_picture_of_json_is_the_same() {
    let json = serde_json::to_value(picture()).unwrap();
    assert_eq!(json["edges"][0]["kind"], "po");
    assert_eq!(serde_json::from_value::<Picture>(json).unwrap(), picture());
}
