//! Names are resolved here, so that the address that is checked is the address
//! that is connected to: a name that resolves to a public address once and to a
//! private one later gains nothing.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::OnceCell;

use super::address::special;
use super::options::EgressOptions;
use super::policy::opened;
use super::target::is_localhost;

/// Resolves names to the addresses that plugins may reach.
pub(super) struct CheckedResolver {
    options: Arc<EgressOptions>,
    recent: Arc<RecentAnswers>,
}

impl CheckedResolver {
    pub(super) fn new(options: Arc<EgressOptions>) -> Self {
        Self { options, recent: Arc::default() }
    }
}

/// What the system's resolver answered lately. A thousand requests to one host
/// ask it once, which takes one thread instead of a thousand.
#[derive(Default)]
struct RecentAnswers {
    names: Mutex<HashMap<String, Recent>>,
}

struct Recent {
    asked: Instant,
    answer: Arc<OnceCell<Result<Vec<IpAddr>, NotFound>>>,
}

impl RecentAnswers {
    /// Short, since the system does not say how long an answer is good for.
    const GOOD_FOR: Duration = Duration::from_secs(5);
    const MOST_NAMES: usize = 1024;

    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, NotFound> {
        let answer = self.answer_of(name, Instant::now());
        answer.get_or_init(|| look_up(name)).await.clone()
    }

    /// The answer to share, which may still be on its way.
    fn answer_of(&self, name: &str, now: Instant) -> Arc<OnceCell<Result<Vec<IpAddr>, NotFound>>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |recent: &Recent| now.saturating_duration_since(recent.asked) < Self::GOOD_FOR;
        if let Some(recent) = names.get(name).filter(|recent| good(recent)) {
            return Arc::clone(&recent.answer);
        }
        if names.len() >= Self::MOST_NAMES {
            names.retain(|_, recent| good(recent));
        }
        if names.len() >= Self::MOST_NAMES {
            names.clear();
        }
        let answer = Arc::default();
        names.insert(name.to_owned(), Recent { asked: now, answer: Arc::clone(&answer) });
        answer
    }
}

async fn look_up(name: &str) -> Result<Vec<IpAddr>, NotFound> {
    match tokio::net::lookup_host((name, 0)).await {
        Ok(found) => Ok(found.map(|address| address.ip()).collect()),
        Err(error) => Err(NotFound(error.to_string().into())),
    }
}

/// The system could not resolve a name.
#[derive(Debug, Clone)]
struct NotFound(Arc<str>);

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotFound {}

/// A name that resolves to nothing but special addresses.
#[derive(Debug, Clone)]
pub(super) struct OnlySpecial {
    pub(super) name: String,
    pub(super) address: IpAddr,
    pub(super) kind: &'static str,
}

impl fmt::Display for OnlySpecial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' resolves to {}, {}; to allow it, open that address or its network in the \
             operator's 'private' list",
            self.name, self.address, self.kind
        )
    }
}

impl std::error::Error for OnlySpecial {}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let options = Arc::clone(&self.options);
        let recent = Arc::clone(&self.recent);
        Box::pin(async move {
            let name = name.as_str();
            // Whoever got here with such a name was allowed to.
            if is_localhost(name) {
                let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                return Ok(addresses(both.to_vec()));
            }
            let found = match options.hosts.get(name) {
                Some(fixed) => fixed.clone(),
                None => recent.ask(name).await?,
            };
            Ok(addresses(keep_reachable(name, found, &options)?))
        })
    }
}

/// Port 0 stands for the port of the URL.
fn addresses(found: Vec<IpAddr>) -> Addrs {
    Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)))
}

fn keep_reachable(
    name: &str,
    found: Vec<IpAddr>,
    options: &EgressOptions,
) -> Result<Vec<IpAddr>, OnlySpecial> {
    let mut refused = None;
    let reachable: Vec<IpAddr> = found
        .into_iter()
        .filter(|&address| match special(address) {
            Some(kind) if !opened(&options.private, address) => {
                refused = Some(OnlySpecial { name: name.to_owned(), address, kind });
                false
            }
            _ => true,
        })
        .collect();
    match refused {
        Some(refused) if reachable.is_empty() => Err(refused),
        _ => Ok(reachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(addresses: &[&str], private: &[&str]) -> Result<Vec<IpAddr>, OnlySpecial> {
        let options = EgressOptions {
            private: private.iter().map(|range| range.parse().expect("a range")).collect(),
            ..Default::default()
        };
        let found = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        keep_reachable("name.example", found, &options)
    }

    #[test]
    fn special_addresses_are_dropped_and_public_ones_kept() {
        let kept_addresses = kept(&["10.0.0.1", "1.1.1.1", "::1"], &[]).expect("one is public");
        assert_eq!(kept_addresses, [IpAddr::from([1, 1, 1, 1])]);
    }

    #[test]
    fn answers_are_shared_while_they_are_good_and_bounded_in_number() {
        let recent = RecentAnswers::default();
        let start = Instant::now();
        let first = recent.answer_of("a.example", start);
        assert!(Arc::ptr_eq(
            &first,
            &recent.answer_of("a.example", start + Duration::from_secs(4))
        ));
        assert!(!Arc::ptr_eq(&first, &recent.answer_of("b.example", start)));
        assert!(!Arc::ptr_eq(
            &first,
            &recent.answer_of("a.example", start + Duration::from_secs(5))
        ));
        for n in 0..3 * RecentAnswers::MOST_NAMES {
            recent.answer_of(&n.to_string(), start);
        }
        let kept = recent.names.lock().expect("not poisoned").len();
        assert!(kept <= RecentAnswers::MOST_NAMES, "{kept}");
    }

    #[test]
    fn only_special_addresses_refuse_the_name() {
        let refused = kept(&["169.254.169.254"], &["10.0.0.0/8"]).expect_err("not opened");
        assert_eq!(refused.kind, "a link-local address");
        assert_eq!(kept(&["10.0.0.1"], &["10.0.0.0/8"]).expect("opened").len(), 1);
        assert_eq!(kept(&["::ffff:10.0.0.1"], &["10.0.0.0/8"]).expect("opened").len(), 1);
    }
}
