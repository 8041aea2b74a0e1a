//! Many requests at once.

use tokio::sync::Barrier;

use super::*;

/// Every request waits on the server until all of them are there, so they are
/// in flight at the same time; each on a connection of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_at_once_to_one_host() {
    // Both ends of a connection are in this process.
    let descriptors = super::super::client::raise_open_files();
    let requests = usize::try_from(descriptors / 2 - 200).unwrap_or(usize::MAX).min(2000);
    let barrier = Arc::new(Barrier::new(requests));
    let server = serve(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Response::new("done".into())
        }
    })
    .await;
    let client = Arc::new(EgressClient::new(EgressOptions {
        connect_timeout: std::time::Duration::from_secs(60),
        ..Default::default()
    }));
    let grants = Arc::new(Grants { operator: rules(&[LOOPBACK]), ..Grants::none() });
    let capabilities: Arc<[HttpCapability]> = asks(&["*:*"]).into();
    let calls: Vec<_> = (0..requests)
        .map(|_| {
            let egress =
                CallEgress::new(&client, &grants, &capabilities, &Limits::DEFAULT, &"probe".into());
            tokio::spawn(async move { get(&egress, &format!("http://{server}/")).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.expect("no panic").expect("answered").text(), "done");
    }
}
