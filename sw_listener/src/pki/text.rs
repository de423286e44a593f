//! How times, paths and foreign text look in what the user reads.

use std::path::Path;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A time in UTC to the second, as in `2026-11-20T13:05:00Z`.
pub(super) fn stamp(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC).truncate_to_second();
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// Bytes as lowercase hexadecimal digits without separators.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The command that makes a CA in `dir`, to be pasted into a shell.
pub(super) fn init_command(dir: &Path) -> String {
    command("init", dir)
}

/// `sw_listener pki WHAT --dir DIR`, to be pasted into a shell.
pub(super) fn command(what: &str, dir: &Path) -> String {
    format!(
        "sw_listener pki {what} --dir {}",
        shell_word(&dir.display().to_string())
    )
}

/// `text` with control characters escaped: a certificate from elsewhere must not drive the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            if c.is_control() {
                c.escape_default().collect()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// `text` as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted() {
        assert_eq!(
            command("list", Path::new("a/b")),
            "sw_listener pki list --dir a/b"
        );
        assert_eq!(
            init_command(Path::new("it's here")),
            r"sw_listener pki init --dir 'it'\''s here'"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[2Jé"), "a\\u{1b}[2Jé");
    }
}
