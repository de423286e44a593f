//! Which targets may be dialled. Pure: a rule list, a target, the address that it resolved to, a verdict.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    str::FromStr,
};

use common::target::{Host, Target};
use ipnet::IpNet;

/// One element of `allowed_targets`: what, and on which ports.
///
/// `192.0.2.0/24:22`, `192.0.2.7:8000-8100`, `[fd00::/8]:443`, `db.example:5432`, `10.0.0.0/8` (every port).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    who: Who,
    ports: RangeInclusive<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Net(IpNet),
    Name(String),
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetPolicy {
    /// `None`: everything, as in 1.x.
    rules: Option<Vec<Rule>>,
}

/// What the policy says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may be dialled.
    Allow,
    /// It may not.
    Deny {
        /// For both logs.
        reason: String,
    },
}

impl TargetPolicy {
    /// The policy of these rules; `None` allows everything but link-local and metadata addresses.
    pub fn new(rules: Option<Vec<Rule>>) -> Self {
        Self { rules }
    }

    /// Whether there are no rules at all.
    pub fn is_open(&self) -> bool {
        self.rules.is_none()
    }

    /// The targets that rules name one by one, each a host and a port; and how many rules are wider than that.
    pub(crate) fn literals(&self) -> (Vec<Target>, usize) {
        let rules = self.rules.as_deref().unwrap_or_default();
        let literals: Vec<_> = rules.iter().filter_map(Rule::literal).collect();
        let wider = rules.len() - literals.len();
        (literals, wider)
    }

    /// Whether this target may be dialled at this address, which its name resolved to.
    pub fn judge(&self, target: &Target, address: SocketAddr) -> Verdict {
        let ip = address.ip().to_canonical();
        let rules = self.rules.as_deref().unwrap_or_default();
        let port_rules = || {
            rules
                .iter()
                .filter(|rule| rule.ports.contains(&address.port()))
        };
        let listed = port_rules().any(|rule| rule.has_address(ip));
        if !listed && is_sensitive(ip) {
            let reason = format!(
                "{ip} is a link-local or metadata address that allowed_targets does not list"
            );
            return Verdict::Deny { reason };
        }
        let named = || port_rules().any(|rule| rule.has_name(target.host()));
        if self.is_open() || listed || named() {
            return Verdict::Allow;
        }
        let reason = format!("allowed_targets does not list {target} ({ip})");
        Verdict::Deny { reason }
    }
}

impl Rule {
    fn literal(&self) -> Option<Target> {
        let host = match &self.who {
            Who::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().to_string(),
            Who::Name(name) => name.clone(),
            Who::Net(_) => return None,
        };
        let port = (self.ports.start() == self.ports.end()).then_some(*self.ports.start())?;
        Target::new(&host, port).ok()
    }

    fn has_address(&self, ip: IpAddr) -> bool {
        matches!(&self.who, Who::Net(net) if net.contains(&ip))
    }

    fn has_name(&self, host: &Host) -> bool {
        match (&self.who, host) {
            (Who::Name(rule), Host::Name(name)) => rule
                .trim_end_matches('.')
                .eq_ignore_ascii_case(name.trim_end_matches('.')),
            _ => false,
        }
    }
}

/// Addresses that only ever mean this machine's own link or its cloud's control plane.
fn is_sensitive(ip: IpAddr) -> bool {
    /// Metadata services outside the link-local range: Alibaba Cloud, Azure, AWS over IPv6.
    const METADATA: [IpAddr; 3] = [
        IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
        IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
        IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    ];
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    link_local || METADATA.contains(&ip)
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "must be a host name, an address or a network (192.0.2.0/24), with :PORT or :FROM-TO or neither; \
                    IPv6 in brackets";
        let (who, ports) = split(text).ok_or(form)?;
        let ports = match ports {
            None | Some("*") => 1..=65535,
            Some(ports) => parse_ports(ports).ok_or(form)?,
        };
        let who = parse_who(who).ok_or(form)?;
        Ok(Self { who, ports })
    }
}

/// The part before the ports, without brackets, and the ports.
fn split(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (who, after) = rest.split_once(']')?;
        return match after {
            "" => Some((who, None)),
            _ => Some((who, Some(after.strip_prefix(':')?))),
        };
    }
    match text.rsplit_once(':') {
        // More than one colon without brackets is an IPv6 address without ports.
        Some((who, _)) if who.contains(':') => Some((text, None)),
        Some((who, ports)) => Some((who, Some(ports))),
        None => Some((text, None)),
    }
}

fn parse_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.parse().ok()?, to.parse().ok()?);
    (from >= 1 && from <= to).then_some(from..=to)
}

fn parse_who(text: &str) -> Option<Who> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Some(Who::Net(net));
    }
    match text.parse().ok()? {
        Host::Ip(ip) => Some(Who::Net(ip.to_canonical().into())),
        Host::Name(name) => Some(Who::Name(name)),
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("allowed"),
            Self::Deny { reason } => f.write_str(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(rules: &[&str]) -> TargetPolicy {
        TargetPolicy::new(Some(
            rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        ))
    }

    fn allows(policy: &TargetPolicy, target: &str, address: &str) -> bool {
        let verdict = policy.judge(&target.parse().unwrap(), address.parse().unwrap());
        verdict == Verdict::Allow
    }

    #[test]
    fn rules_are_checked_on_the_resolved_address() {
        let policy = policy(&[
            "192.0.2.0/24:22",
            "10.0.0.7:8000-8100",
            "[fd12::/16]:443",
            "db.example:5432",
        ]);
        assert!(allows(&policy, "h.example:22", "192.0.2.9:22"));
        assert!(allows(&policy, "192.0.2.9:22", "[::ffff:192.0.2.9]:22"));
        assert!(!allows(&policy, "192.0.2.9:23", "192.0.2.9:23"));
        assert!(allows(&policy, "10.0.0.7:8100", "10.0.0.7:8100"));
        assert!(!allows(&policy, "10.0.0.7:8101", "10.0.0.7:8101"));
        assert!(allows(&policy, "[fd12::1]:443", "[fd12::1]:443"));
        assert!(allows(&policy, "DB.example.:5432", "203.0.113.1:5432"));
        assert!(!allows(&policy, "other.example:5432", "203.0.113.1:5432"));
        assert!(!allows(&policy, "0.0.0.0:22", "0.0.0.0:22"));
    }

    #[test]
    fn metadata_is_reached_only_when_its_address_is_listed() {
        let open = TargetPolicy::new(None);
        assert!(allows(&open, "127.0.0.1:80", "127.0.0.1:80"));
        for address in [
            "169.254.169.254:80",
            "[fe80::1]:80",
            "[::ffff:169.254.169.254]:80",
            "100.100.100.200:80",
        ] {
            assert!(!allows(&open, "h.example:80", address), "{address}");
            assert!(
                !allows(&policy(&["h.example"]), "h.example:80", address),
                "{address}"
            );
        }
        let listed = policy(&["169.254.169.254:80"]);
        assert!(allows(&listed, "169.254.169.254:80", "169.254.169.254:80"));
    }

    #[test]
    fn rules_that_name_one_target_are_told_apart() {
        let rules = [
            "db.example:5432",
            "[fd12::1]:443",
            "10.0.0.7",
            "10.0.0.0/24:1",
            "h:1-2",
        ];
        let (literals, wider) = policy(&rules).literals();
        let shown: Vec<_> = literals.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["db.example:5432", "[fd12::1]:443"]);
        assert_eq!(wider, 3);
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert!(!allows(&policy(&[]), "127.0.0.1:80", "127.0.0.1:80"));
    }

    #[test]
    fn what_is_not_a_rule_is_refused() {
        for text in [
            "",
            "10.0.0.0/33",
            "h:0",
            "h:9-8",
            "h:x",
            "a b",
            "[::1:80",
            "h:1-99999",
        ] {
            assert!(text.parse::<Rule>().is_err(), "{text:?}");
        }
    }
}
