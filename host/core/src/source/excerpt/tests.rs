use super::*;

fn excerpt(text: &str, parts: &[&str]) -> (String, Vec<String>) {
    let shown: Vec<Shown> = parts
        .iter()
        .map(|part| {
            let offset = text.find(part).unwrap();
            let line = text[..offset].matches('\n').count() + 1;
            Shown { span: Span { offset, length: part.len() }, line, column: 1 }
        })
        .collect();
    let excerpt = Excerpt::new("w", text, &shown);
    let at = |span: &Span| excerpt.text[span.offset..span.end()].to_owned();
    let blocks: Vec<String> = excerpt
        .blocks
        .iter()
        .map(|block| format!("{}:\n{}", block.line, &excerpt.text[block.start..block.end]))
        .collect();
    (blocks.concat(), excerpt.spans.iter().map(at).collect())
}

#[test]
fn a_line_is_shown_between_its_neighbours() {
    let text = "one\r\ntwo\r\n\tthree\r\nfour\r\nfive";
    assert_eq!(
        excerpt(text, &["three"]),
        ("2:\ntwo\n\tthree\nfour\n".into(), vec!["three".into()])
    );
    assert_eq!(excerpt(text, &["one"]).0, "1:\none\ntwo\n");
    assert_eq!(excerpt(text, &["five"]).0, "4:\nfour\nfive\n");
    assert_eq!(excerpt("one\n\n", &["one"]).0, "1:\none\n\n");
    assert_eq!(excerpt("", &[""]).0, "1:\n\n");
}

#[test]
fn places_that_are_close_share_their_lines() {
    let text = "1\n2\n3\n4\n5\n6\n7\n8\n";
    assert_eq!(excerpt(text, &["4", "2"]).0, "1:\n1\n2\n3\n4\n5\n");
    assert_eq!(excerpt(text, &["2", "5"]).0, "1:\n1\n2\n3\n4\n5\n6\n");
    assert_eq!(
        excerpt(text, &["7", "2"]),
        ("6:\n6\n7\n8\n1:\n1\n2\n3\n".into(), vec!["7".into(), "2".into()])
    );
    assert_eq!(
        excerpt("ab cd ef", &["ef", "ab"]),
        ("1:\nab cd ef\n".into(), vec!["ef".into(), "ab".into()])
    );
}

#[test]
fn of_long_lines_only_what_is_around_the_place_is_shown() {
    let text = format!("{0}\n{0} here {0} there {0}\n{0}", "é".repeat(1_000_000));
    let (shown, parts) = excerpt(&text, &["here", "there"]);
    let part = "é".repeat(AROUND / 2);
    let around = part.strip_suffix('é').unwrap();
    assert_eq!(shown.lines().next(), Some("2:"));
    assert!(
        shown.contains(&format!("\n…{part} here {part}…\n"))
            || shown.contains(&format!("{around} here {around}")),
        "{shown}"
    );
    assert!(shown.len() < 10 * AROUND, "{}", shown.len());
    assert_eq!(parts, ["here", "there"]);
}

#[test]
fn nothing_a_terminal_would_obey_is_shown() {
    let (shown, parts) = excerpt("a\u{1b}[31m: \u{202e}b\u{b}c\u{0}\n", &["b\u{b}c"]);
    assert_eq!(shown, "1:\na\u{fffd}[31m: \u{fffd}b\u{fffd}c\u{fffd}\n");
    assert_eq!(parts, ["b\u{fffd}c"]);
}
