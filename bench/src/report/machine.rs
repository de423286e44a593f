//! On what it was measured.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine, as far as it matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many of them.
    pub processors: usize,
    /// In 2²⁰ bytes.
    pub memory_mib: u64,
    /// The release of the kernel.
    pub kernel: String,
    /// What the kernel allows a UDP socket's receive buffer, in bytes.
    pub receive_buffer_limit: u64,
}

impl Machine {
    /// This one. What cannot be read is left empty.
    pub fn this() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let meminfo = read("/proc/meminfo");
        let memory = meminfo.split_whitespace().nth(1);
        let memory_kib = memory.and_then(|kib| kib.parse::<u64>().ok());
        Self {
            processor: field(&cpuinfo, "model name").unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_kib.unwrap_or_default() / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            receive_buffer_limit: read("/proc/sys/net/core/rmem_max")
                .trim()
                .parse()
                .unwrap_or(0),
        }
    }

    /// In a line.
    pub fn describe(&self) -> String {
        format!(
            "{} × {}, {} GiB, Linux {}, UDP receive buffers of at most {} KiB",
            self.processors,
            self.processor,
            self.memory_mib.div_ceil(1024),
            self.kernel,
            self.receive_buffer_limit / 1024
        )
    }
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: A 1\nmodel name\t: A 1\n";
        assert_eq!(field(text, "model name").unwrap(), "A 1");
        assert_eq!(field(text, "cache size"), None);
    }
}
