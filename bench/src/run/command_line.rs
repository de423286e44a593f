//! What was typed, for the result.

/// What was typed, without folders, which are nobody's business.
pub(super) fn typed() -> String {
    let words = std::env::args().skip(1).map(|word| without_folders(&word));
    let words: Vec<_> = std::iter::once("bench".to_owned()).chain(words).collect();
    words.join(" ")
}

/// `NAME=/a/b/c` becomes `NAME=…/c`; what holds spaces is quoted.
fn without_folders(word: &str) -> String {
    let (name, path) = word.rsplit_once('=').unwrap_or(("", word));
    if word.contains(' ') {
        return format!("{word:?}");
    }
    let Some((_, last)) = path.trim_end_matches('/').rsplit_once('/') else {
        return word.to_owned();
    };
    let equals = if word.contains('=') { "=" } else { "" };
    format!("{name}{equals}…/{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_left_out() {
        assert_eq!(without_folders("--quick"), "--quick");
        assert_eq!(without_folders("a:key=1"), "a:key=1");
        assert_eq!(without_folders("ssh -R,direct"), "\"ssh -R,direct\"");
        assert_eq!(without_folders("/x/y/rathole"), "…/rathole");
        assert_eq!(without_folders("old=/x/y/"), "old=…/y");
        assert_eq!(
            without_folders("--binaries=/x/release"),
            "--binaries=…/release"
        );
    }
}
