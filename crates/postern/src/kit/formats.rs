//! What came of the cases, as other programs read it: JUnit's XML, and TAP 14.

use super::suite::Verdict;

/// One `testsuite` with a `testcase` for each case.
pub fn junit(suite: &str, verdicts: &[Verdict], seconds: f64) -> String {
    let failed = verdicts.iter().filter(|verdict| !verdict.passed()).count();
    let name = xml(suite);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{name}\" tests=\"{}\" \
         failures=\"{failed}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\">\n",
        verdicts.len()
    );
    for verdict in verdicts {
        let case = format!("    <testcase classname=\"{name}\" name=\"{}\"", xml(&verdict.name));
        text += &case;
        if verdict.passed() {
            text += "/>\n";
        } else {
            let first = verdict.wrong.first().and_then(|wrong| wrong.lines().next()).unwrap_or_default();
            text += &format!(
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                xml(first),
                xml(&verdict.wrong.join("\n"))
            );
        }
    }
    text + "  </testsuite>\n</testsuites>\n"
}

/// A line for each case, with what is wrong as YAML.
pub fn tap(verdicts: &[Verdict]) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", verdicts.len());
    for (index, verdict) in verdicts.iter().enumerate() {
        let word = if verdict.passed() { "ok" } else { "not ok" };
        // `#` begins a directive.
        let name = verdict.name.replace('\\', "\\\\").replace('#', "\\#").replace('\n', " ");
        text += &format!("{word} {} - {name}\n", index + 1);
        if !verdict.passed() {
            text += "  ---\n  message: |\n";
            for line in verdict.wrong.iter().flat_map(|wrong| wrong.lines()) {
                text += &format!("    {line}\n");
            }
            text += "  ...\n";
        }
    }
    text
}

/// Text within XML 1.0, which has no other control characters than these.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push(character),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_break_out() {
        let verdicts = [
            Verdict { name: "a <b> \"c\" # d".into(), wrong: Vec::new(), fuel: 1, updated: false },
            Verdict::failed("e", "x\u{1b}[2J & \n  - ]]>".into()),
        ];
        let text = junit("s", &verdicts, 0.5);
        assert!(
            text.contains("tests=\"2\" failures=\"1\"") && text.contains("a &lt;b&gt; &quot;c&quot; # d")
        );
        assert!(text.contains("x\u{fffd}[2J &amp; &#10;  - ]]&gt;"), "{text}");
        assert_eq!(tap(&verdicts[..1]) + "\n", "TAP version 14\n1..1\nok 1 - a <b> \"c\" \\# d\n\n");
        assert!(tap(&verdicts).contains("not ok 2 - e\n  ---\n  message: |\n    x"));
    }
}
