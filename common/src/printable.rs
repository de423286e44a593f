//! Foreign text as it is shown: in logs, in errors, on a terminal.

/// `text` with what [`drives`] escaped, as in `\u{1b}`: a certificate or a peer must not move the cursor, nor turn around
/// or hide what is written beside it.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if drives(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a character does something else than to be seen: control characters, and the invisible ones that change the
/// direction or the form of text (Unicode's `Bidi_Control`, zero-width characters, line and paragraph separators). All are
/// below U+10000.
pub fn drives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_escaped() {
        assert_eq!(printable("a\x1b[2Jb\r\n\u{e4}"), "a\\u{1b}[2Jb\\r\\n\u{e4}");
        assert_eq!(printable("\u{202e}x\u{9b}"), "\\u{202e}x\\u{9b}");
        assert_eq!(
            printable("a\u{200b}b\u{feff}\u{2028}"),
            "a\\u{200b}b\\u{feff}\\u{2028}"
        );
        assert_eq!(printable("Größe 東京 \\"), "Größe 東京 \\");
    }
}
