//! TLS, by a server whose certificate only the operator's own root vouches for.
//!
//! `tls/` holds that root and the server's certificate and key, made for these
//! tests alone; the root's key is not kept.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/egress/tests/tls/ca.pem");

/// Answers with the protocol of the request.
async fn serve_tls(protocol: &'static str) -> SocketAddr {
    let certificates = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem"))
        .collect::<Result<Vec<_>, _>>()
        .expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .expect("they belong together");
    config.alpn_protocols = vec![protocol.into()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    listen(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let stream = TokioIo::new(stream);
            let service = service_fn(async |request: Request<Incoming>| {
                let version = format!("{:?}", request.version());
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(version)))
            });
            let _ = match protocol {
                "h2" => {
                    let http = hyper::server::conn::http2::Builder::new(Spawn);
                    http.serve_connection(stream, service).await
                }
                _ => {
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(stream, service)
                        .await
                }
            };
        }
    })
    .await
}

#[derive(Clone)]
struct Spawn;

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Spawn {
    fn execute(&self, future: F) {
        tokio::spawn(future);
    }
}

#[tokio::test]
async fn https_over_either_version_of_http() {
    for (protocol, version) in [("http/1.1", "HTTP/1.1"), ("h2", "HTTP/2.0")] {
        let server = serve_tls(protocol).await;
        let mut call = Call::new()
            .operator(&["https://agent.test:*"])
            .host("agent.test", "127.0.0.1")
            .private("127.0.0.1/32");
        call.options.extra_roots = vec![ROOT.into()];
        let egress = call.start();
        let url = format!("https://agent.test:{}/", server.port());
        assert_eq!(get(&egress, &url).await.expect(protocol).text(), version);
    }
}

#[tokio::test]
async fn certificates_are_checked() {
    let server = serve_tls("h2").await;
    let egress = Call::new().start();
    let error = get(&egress, &format!("https://{server}/")).await.expect_err("an unknown root");
    assert!(matches!(error, Error::TlsCertificateError), "{error}");

    let mut call =
        Call::new().operator(&["*:*"]).host("other.test", "127.0.0.1").private("127.0.0.1/32");
    call.options.extra_roots = vec![ROOT.into()];
    let egress = call.start();
    let url = format!("https://other.test:{}/", server.port());
    let error = get(&egress, &url).await.expect_err("another name");
    assert!(matches!(error, Error::TlsCertificateError), "{error}");
}

#[tokio::test]
async fn roots_that_cannot_be_read_are_a_configuration_error() {
    let mut call = Call::new();
    call.options.extra_roots = vec!["/nowhere/ca.pem".into()];
    let error = get(&call.start(), "http://127.0.0.1:9/").await.expect_err("no client");
    assert!(matches!(error, Error::ConfigurationError), "{error}");
}
