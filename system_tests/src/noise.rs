//! Bytes that look random, are cheap to make, and are known on both sides by their seed.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};

/// A bounded run of bytes.
#[derive(Debug, Clone)]
pub struct Noise {
    state: u64,
    left: u64,
}

impl Noise {
    /// `length` bytes of this seed.
    pub fn new(seed: u64, length: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            left: length,
        }
    }

    /// A number below `limit`, for choices in generated tests.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(self.next() % limit).unwrap()
    }

    /// splitmix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Read for Noise {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        // Whole words only, so that the bytes do not depend on how they are read.
        let words = room.len() / 8 * 8;
        let count = usize::try_from(self.left).unwrap_or(words).min(words);
        assert!(words > 0, "noise is read into at least 8 bytes");
        for chunk in room[..count].chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// SHA-256, fed piece by piece.
pub struct Digest(Context);

impl Default for Digest {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Digest {
    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest in hexadecimal.
    pub fn finish(self) -> String {
        let digest = self.0.finish();
        digest.as_ref().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.update(bytes);
    digest.finish()
}

/// SHA-256 of the noise with this seed and length.
pub fn digest_of(seed: u64, length: u64) -> String {
    let mut noise = Noise::new(seed, length);
    let mut digest = Digest::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match noise.read(&mut buffer).unwrap() {
            0 => return digest.finish(),
            count => digest.update(&buffer[..count]),
        }
    }
}
