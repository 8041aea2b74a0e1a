//! The decision whether a request may leave, as a pure function of who allows
//! what. The operator and the plugin's manifest must both allow it, and an
//! address that is not public must be named besides.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;
use ipnet::IpNet;
use serde::Serialize;
use url::Host;

use super::address::{canonical, special};
use super::grants::{Grants, HttpCapability};
use super::rule::{HostPattern, PathPrefix, Ports, Rule, Verdict};
use super::target::{Target, is_localhost};

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// What was tried, such as `GET http://169.254.169.254/latest`; without the
    /// query.
    pub attempted: String,
    /// Which rule refuses it, and how to allow it.
    pub reason: String,
    /// Who refused it.
    pub by: DeniedBy,
}

/// Who refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeniedBy {
    /// The operator's allow-list.
    Operator,
    /// The capabilities in the plugin's manifest.
    Manifest,
    /// The rule that addresses which are not public must be named.
    Address,
    /// A secret that is not granted for where the request goes.
    Secret,
    /// The host, which never sends such a request.
    Host,
}

/// Everything a decision depends on, besides the request.
pub(super) struct Policy<'a> {
    pub(super) grants: &'a Grants,
    pub(super) capabilities: &'a [HttpCapability],
    pub(super) plugin: &'a str,
    pub(super) private: &'a [IpNet],
}

impl Policy<'_> {
    /// Decides about one request.
    pub(super) fn check(&self, method: &Method, target: &Target) -> Result<(), Denial> {
        let deny = |by, reason| Err(Denial { attempted: target.describe(method), reason, by });
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            let reason =
                format!("{method} requests open tunnels or echo secrets; no rule allows them");
            return deny(DeniedBy::Host, reason);
        }
        if let Some(reason) = self.refused_by_address(method, target) {
            return deny(DeniedBy::Address, reason);
        }
        if let Some(reason) = self.refused_by_operator(method, target) {
            return deny(DeniedBy::Operator, reason);
        }
        if let Some(reason) = self.refused_by_manifest(method, target) {
            return deny(DeniedBy::Manifest, reason);
        }
        Ok(())
    }

    /// Addresses written in the URL and `localhost`. What other names resolve
    /// to is checked where they are resolved.
    fn refused_by_address(&self, method: &Method, target: &Target) -> Option<String> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let address = target.address().or_else(|| target.is_localhost().then_some(loopback))?;
        let kind = special(address)?;
        if opened(self.private, address) {
            return None;
        }
        let mut naming =
            self.grants.operator.iter().filter(|rule| names(&rule.host, target)).peekable();
        if naming.peek().is_none() {
            return Some(format!(
                "{} is {kind}, which a rule has to name; to allow it, add the rule '{}' to the \
                 allow-list",
                target.host(),
                suggestion(method, target)
            ));
        }
        // The rules that name it decide; a wildcard beside them cannot widen them.
        let judge = |rule: &Rule| rule.verdict(method, target);
        if naming.any(|rule| judge(rule) == Verdict::Allows) {
            return None;
        }
        Some(format!(
            "{} is {kind}, and the rules that name it are about other requests; to allow this \
             one, add the rule '{}' to the allow-list",
            target.host(),
            suggestion(method, target)
        ))
    }

    fn refused_by_operator(&self, method: &Method, target: &Target) -> Option<String> {
        let verdicts = self.grants.operator.iter().map(|rule| (rule, rule.verdict(method, target)));
        match settle(verdicts) {
            Ok(()) => None,
            Err(Some(ambiguous)) => Some(ambiguous),
            Err(None) => Some(format!(
                "no rule of the operator allows it; to allow it, add '{}' to the allow-list",
                suggestion(method, target)
            )),
        }
    }

    fn refused_by_manifest(&self, method: &Method, target: &Target) -> Option<String> {
        let endpoint = self.grants.endpoint.as_ref().and_then(Rule::origin);
        let rules = self.capabilities.iter().filter_map(|capability| match capability {
            HttpCapability::Endpoint => endpoint.as_ref(),
            HttpCapability::Rule(rule) => Some(rule),
        });
        match settle(rules.map(|rule| (rule, rule.verdict(method, target)))) {
            Ok(()) => return None,
            Err(Some(ambiguous)) => return Some(ambiguous),
            Err(None) => {}
        }
        let wants_endpoint = self.capabilities.contains(&HttpCapability::Endpoint);
        let aside = match &self.grants.endpoint {
            None if wants_endpoint => " (it asks for its endpoint, and this invocation has none)",
            Some(_) if wants_endpoint => " (it asks for its endpoint, which this is not)",
            _ => "",
        };
        Some(format!(
            "the manifest of plugin '{}' does not ask for it{aside}; to allow it, add \"{}\" to \
             capabilities.http there",
            self.plugin,
            suggestion(method, target)
        ))
    }
}

/// One rule that allows is enough; else the first that cannot tell says why.
fn settle<'a>(verdicts: impl Iterator<Item = (&'a Rule, Verdict)>) -> Result<(), Option<String>> {
    let mut ambiguous = None;
    for (rule, verdict) in verdicts {
        match verdict {
            Verdict::Allows => return Ok(()),
            Verdict::Silent => {}
            Verdict::Ambiguous(why) => {
                ambiguous.get_or_insert_with(|| {
                    format!(
                        "its path has {why}, so the rule '{rule}' cannot tell what it names; \
                         write the path plainly"
                    )
                });
            }
        }
    }
    Err(ambiguous)
}

/// Whether `pattern` names the special address, or `localhost`, that the target
/// is. Wildcards name nothing, except below `localhost`.
fn names(pattern: &HostPattern, target: &Target) -> bool {
    match (pattern, target.host()) {
        (HostPattern::Address(named), _) => {
            target.address().is_some_and(|address| canonical(address) == *named)
        }
        (HostPattern::Name(name), Host::Domain(host)) => name == host,
        (HostPattern::Below(parent), Host::Domain(_)) => is_localhost(parent),
        _ => false,
    }
}

/// Whether the operator opened a range that `address` is in.
pub(super) fn opened(private: &[IpNet], address: IpAddr) -> bool {
    let address = canonical(address);
    private.iter().any(|range| range.contains(&address))
}

/// The narrowest rule that would allow the request.
fn suggestion(method: &Method, target: &Target) -> Rule {
    let scheme = target.scheme();
    let port = match target.port() {
        port if port == scheme.default_port() => Ports::SchemeDefault,
        port => Ports::Only(port),
    };
    Rule {
        scheme: Some(scheme),
        host: HostPattern::of(target.host()),
        port,
        methods: Some(vec![method.clone()]),
        path: PathPrefix::covering(target.path()),
    }
}
