//! The end of what a command wrote, in bounded memory.

/// Keeps the last bytes.
#[derive(Debug)]
pub(super) struct Tail {
    kept: Vec<u8>,
    limit: usize,
    left_out: u64,
}

impl Tail {
    /// Keeps the last `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            limit,
            left_out: 0,
        }
    }

    /// Takes more.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let last = &bytes[bytes.len().saturating_sub(self.limit)..];
        let room = self.limit - last.len();
        let surplus = self.kept.len().saturating_sub(room);
        self.kept.drain(..surplus);
        self.kept.extend_from_slice(last);
        self.left_out += (surplus + bytes.len() - last.len()) as u64;
    }

    /// What was kept, as text without the line end behind it, and how many bytes before it were not.
    pub(super) fn finish(self) -> (String, u64) {
        let text = String::from_utf8_lossy(&self.kept);
        (text.trim_end().to_owned(), self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_stay_however_they_come() {
        let all: Vec<u8> = (b'a'..=b'z').collect();
        for size in [1, 2, 3, 7, 8, 9, 26] {
            let mut tail = Tail::new(8);
            all.chunks(size).for_each(|chunk| tail.push(chunk));
            assert!(tail.kept.len() <= 8);
            assert_eq!(tail.finish(), ("stuvwxyz".to_owned(), 18), "{size}");
        }
        let mut tail = Tail::new(8);
        tail.push(b"");
        tail.push(b"ab\n");
        assert_eq!(tail.finish(), ("ab".to_owned(), 0));
    }

    #[test]
    fn a_character_that_was_cut_does_no_harm() {
        let mut tail = Tail::new(4);
        tail.push("éé!".as_bytes());
        assert_eq!(tail.finish(), ("\u{fffd}é!".to_owned(), 1));
    }
}
