//! The one HTTP client of the process, with its pool of connections.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::sync::OnceCell;

use super::connect::ConnectTimeout;
use super::options::EgressOptions;
use super::resolve::CheckedResolver;

/// Serves the requests of all plugins. Nothing is set up before the first
/// request: reading the system's certificates takes longer than many a run.
#[derive(Debug)]
pub struct EgressClient {
    options: Arc<EgressOptions>,
    client: OnceCell<reqwest::Client>,
}

/// How long an idle connection is kept. Shorter than the five seconds after
/// which many servers (llama.cpp, uvicorn, Node.js) close theirs: a request that
/// crosses with that is lost, and one that is streamed cannot be sent again.
const POOL_IDLE: Duration = Duration::from_secs(3);
/// The largest header of an HTTP/2 response, as the ceiling of the `headers`
/// limit has it.
const MAX_HTTP2_HEADERS: u32 = 1 << 20;
/// Fields in the header of an HTTP/1 response.
const MAX_HTTP1_FIELDS: usize = 256;

impl EgressClient {
    /// Keeps the options; opens nothing.
    pub fn new(mut options: EgressOptions) -> Self {
        // As URLs spell names.
        options.hosts = options
            .hosts
            .into_iter()
            .map(|(name, found)| (name.trim_end_matches('.').to_ascii_lowercase(), found))
            .collect();
        Self { options: Arc::new(options), client: OnceCell::new() }
    }

    /// What it was made with.
    pub fn options(&self) -> &EgressOptions {
        &self.options
    }

    /// The client, built at the first call. The error says what is wrong with
    /// the configuration, and the next call tries again.
    pub(super) async fn get(&self) -> Result<&reqwest::Client, String> {
        self.client
            .get_or_try_init(|| async {
                let options = Arc::clone(&self.options);
                // Reads files.
                tokio::task::spawn_blocking(move || build(&options))
                    .await
                    .map_err(|error| format!("could not set up the HTTP client: {error}"))?
            })
            .await
    }
}

/// Lets the process open as many files as it may, since every connection is
/// one; gives how many that is. Go programs do this at their start.
pub(super) fn raise_open_files() -> u64 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // Some systems refuse the maximum they give; then it stays as it was.
        let _ = setrlimit(Resource::Nofile, raised);
        getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
    }
    #[cfg(not(unix))]
    u64::MAX
}

fn build(options: &Arc<EgressOptions>) -> Result<reqwest::Client, String> {
    raise_open_files();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls_config(options)?)
        .dns_resolver(CheckedResolver::new(Arc::clone(options)))
        // A proxy would connect on our behalf, to addresses we cannot check.
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .user_agent(concat!("consort/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .connector_layer(ConnectTimeout)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(options.max_idle_per_host)
        .http1_max_headers(MAX_HTTP1_FIELDS)
        .http2_max_header_list_size(MAX_HTTP2_HEADERS)
        .build()
        .map_err(|error| format!("could not set up the HTTP client: {error}"))
}

fn tls_config(options: &EgressOptions) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "a certificate of the system could not be read");
    }
    roots.add_parsable_certificates(system.certs);
    for file in &options.extra_roots {
        let failed = |error: &dyn std::fmt::Display| {
            format!("could not read the certificates in '{}': {error}", file.display())
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| failed(&error))?;
            roots.add(certificate).map_err(|error| failed(&error))?;
        }
    }
    if roots.is_empty() {
        tracing::warn!("no root certificates on this machine: https requests will fail");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("could not set up TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
