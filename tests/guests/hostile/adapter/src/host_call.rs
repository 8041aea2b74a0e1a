//! Calls of the host that do not end, or take more than they should.

use std::io::Write as _;
use std::mem;

use consort_plugin_sdk::bindings::wasi::clocks::monotonic_clock;
use consort_plugin_sdk::bindings::wasi::http::types::{Fields, OutgoingRequest};
use consort_plugin_sdk::bindings::wasi::io::poll;
use consort_plugin_sdk::host::{self, Level, Update};
use consort_plugin_sdk::{Failure, Invocation, Step};

type Answer = Result<Step, Failure>;

/// What the host offers and the SDK does not: plain random bytes.
mod random {
    wit_bindgen::generate!({
        path: "../../../../wit",
        inline: "
            package consort:hostile;
            world random { import wasi:random/random@0.2.12; }
        ",
        world: "consort:hostile/random",
        generate_all,
    });
    pub(super) use self::wasi::random::random::get_random_bytes;
}

pub(crate) fn log_empty_endlessly(_: &Invocation) -> Answer {
    loop {
        host::log(Level::Error, "");
    }
}

pub(crate) fn log_flood(_: &Invocation) -> Answer {
    let line = "spam ".repeat(200);
    loop {
        host::log(Level::Error, &line);
    }
}

/// One message of 48 MiB.
pub(crate) fn log_huge(_: &Invocation) -> Answer {
    host::log(Level::Info, &"x".repeat(48 << 20));
    Ok(Step::text("logged"))
}

pub(crate) fn progress_flood(_: &Invocation) -> Answer {
    loop {
        host::report_partial("token ");
    }
}

pub(crate) fn progress_nonsense(_: &Invocation) -> Answer {
    for fraction in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300] {
        host::report(&Update { fraction: Some(fraction), message: None, partial: None });
    }
    Ok(Step::text("reported"))
}

pub(crate) fn metrics_flood(_: &Invocation) -> Answer {
    for i in 0..10_000 {
        host::count(&format!("name {i}"), u64::MAX);
        host::gauge(&format!("name {i}"), f64::NAN);
    }
    Ok(Step::text("counted"))
}

/// Twenty names of 1 MiB each.
pub(crate) fn metrics_huge_names(_: &Invocation) -> Answer {
    let mut name = "n".repeat(1 << 20);
    for _ in 0..20 {
        name.push('n');
        host::observe(&name, f64::INFINITY);
    }
    Ok(Step::text("observed"))
}

pub(crate) fn count_endlessly(_: &Invocation) -> Answer {
    loop {
        host::count("same", 1);
    }
}

pub(crate) fn read_config_endlessly(_: &Invocation) -> Answer {
    loop {
        drop(consort_plugin_sdk::config::get());
    }
}

pub(crate) fn print_flood(_: &Invocation) -> Answer {
    loop {
        println!("printed");
    }
}

/// Never a line break.
pub(crate) fn print_one_line(_: &Invocation) -> Answer {
    let mut out = std::io::stdout();
    while out.write_all(&[b'x'; 4096]).and_then(|()| out.flush()).is_ok() {}
    Ok(Step::text("refused"))
}

pub(crate) fn complain_flood(_: &Invocation) -> Answer {
    loop {
        eprintln!("complained");
    }
}

pub(crate) fn read_clock_endlessly(_: &Invocation) -> Answer {
    loop {
        monotonic_clock::now();
    }
}

pub(crate) fn read_random_endlessly(_: &Invocation) -> Answer {
    loop {
        random::get_random_bytes(16 << 10);
    }
}

pub(crate) fn read_random_huge(_: &Invocation) -> Answer {
    Ok(Step::text(random::get_random_bytes(u64::MAX).len().to_string()))
}

pub(crate) fn poll_zero_endlessly(_: &Invocation) -> Answer {
    loop {
        poll::poll(&[&monotonic_clock::subscribe_duration(0)]);
    }
}

pub(crate) fn poll_nothing(_: &Invocation) -> Answer {
    Ok(Step::text(poll::poll(&[]).len().to_string()))
}

pub(crate) fn create_requests_endlessly(_: &Invocation) -> Answer {
    loop {
        drop(OutgoingRequest::new(Fields::new()));
    }
}

pub(crate) fn sleep_past_deadline(_: &Invocation) -> Answer {
    const HOUR: u64 = 3_600_000_000_000;
    monotonic_clock::subscribe_duration(HOUR).block();
    Ok(Step::text("slept"))
}

pub(crate) fn hoard_headers(_: &Invocation) -> Answer {
    loop {
        mem::forget(Fields::new());
    }
}

pub(crate) fn hoard_timers(_: &Invocation) -> Answer {
    loop {
        mem::forget(monotonic_clock::subscribe_duration(u64::MAX));
    }
}

pub(crate) fn hoard_requests(_: &Invocation) -> Answer {
    loop {
        mem::forget(OutgoingRequest::new(Fields::new()));
    }
}
