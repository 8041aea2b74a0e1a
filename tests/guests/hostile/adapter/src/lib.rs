//! A *hostile* adapter: it does what a task's description names, and every name
//! is a way to hurt a host that is not careful.
//!
//! The lists below are the single place where behaviours are named. The guest
//! makes its dispatch from them and the host's tests check with them that no
//! behaviour is without a test.

/// Computing that does not end, or ends badly.
#[macro_export]
macro_rules! compute_behaviours {
    ($each:ident) => {
        $each! {
            endless_loop endless_recursion unreachable panic out_of_bounds
            wrong_function_pointer exit_success exit_failure
        }
    };
}

/// Memory that grows.
#[macro_export]
macro_rules! memory_behaviours {
    ($each:ident) => {
        $each! { grow_memory hoard_small_pieces allocate_one_gib }
    };
}

/// Answers nobody wants.
#[macro_export]
macro_rules! answer_behaviours {
    ($each:ident) => {
        $each! {
            huge_text huge_json huge_blob huge_spawn huge_checkpoint huge_question huge_failure
            invalid_json invalid_utf8 deep_json nan_usage spawn_nonsense pending_forever
            throttled_forever invalid_failure_detail
        }
    };
}

/// Calls of the host that do not end, or take more than they should.
#[macro_export]
macro_rules! host_call_behaviours {
    ($each:ident) => {
        $each! {
            log_empty_endlessly log_flood log_huge progress_flood progress_nonsense metrics_flood
            metrics_huge_names count_endlessly read_config_endlessly print_flood print_one_line
            complain_flood read_clock_endlessly read_random_endlessly read_random_huge
            poll_zero_endlessly poll_nothing create_requests_endlessly sleep_past_deadline
            hoard_headers hoard_timers hoard_requests
        }
    };
}

/// Requests that must not leave, and answers that must not be swallowed whole.
#[macro_export]
macro_rules! network_behaviours {
    ($each:ident) => {
        $each! {
            ask_denied_host ask_link_local ask_name_of_private_address follow_redirect
            connect_tunnel send_secret_elsewhere send_secret_in_url read_huge_body
            read_huge_headers send_huge_headers send_endless_body send_unfinished_body
            read_trickle wait_for_answer ask_many_times start_many_requests
            inject_header claim_other_host
        }
    };
}

/// Answers to several tasks that nobody wants, from whichever of them says so.
#[macro_export]
macro_rules! batch_behaviours {
    ($each:ident) => {
        $each! {
            batch_too_short batch_too_long batch_empty batch_trap batch_over_fuel batch_huge
            batch_invalid_json batch_ask_denied_host
        }
    };
}

/// Looking around in the sandbox.
#[macro_export]
macro_rules! surroundings_behaviours {
    ($each:ident) => {
        $each! { look_around open_tcp open_udp look_up_name listen read_stdin }
    };
}

macro_rules! names {
    ($($name:ident)*) => { &[$(stringify!($name)),*] };
}

/// All behaviours of one task, in groups.
pub const BEHAVIOURS: &[&[&str]] = &[
    compute_behaviours!(names),
    memory_behaviours!(names),
    answer_behaviours!(names),
    host_call_behaviours!(names),
    network_behaviours!(names),
    surroundings_behaviours!(names),
];

#[cfg(target_family = "wasm")]
mod answer;
#[cfg(target_family = "wasm")]
mod batch;
#[cfg(target_family = "wasm")]
mod compute;
#[cfg(target_family = "wasm")]
mod host_call;
#[cfg(target_family = "wasm")]
mod memory;
#[cfg(target_family = "wasm")]
mod network;
#[cfg(target_family = "wasm")]
mod surroundings;

#[cfg(target_family = "wasm")]
mod guest {
    use consort_plugin_sdk::{Adapter, BatchAdapter, Failure, Invocation, Step};

    struct Hostile;

    impl Adapter for Hostile {
        fn start(call: Invocation) -> Result<Step, Failure> {
            use crate::{answer, compute, host_call, memory, network, surroundings};

            macro_rules! dispatch {
                ($($name:ident)*) => { $(dispatch_one!($name);)* };
            }
            macro_rules! in_module {
                ($module:ident, $behaviours:ident) => {
                    macro_rules! dispatch_one {
                        ($name:ident) => {
                            if call.description == stringify!($name) {
                                return $module::$name(&call);
                            }
                        };
                    }
                    crate::$behaviours!(dispatch);
                };
            }
            in_module!(compute, compute_behaviours);
            in_module!(memory, memory_behaviours);
            in_module!(answer, answer_behaviours);
            in_module!(host_call, host_call_behaviours);
            in_module!(network, network_behaviours);
            in_module!(surroundings, surroundings_behaviours);
            Err(Failure::invalid_input(format!("no behaviour named '{}'", call.description)))
        }
    }

    impl BatchAdapter for Hostile {
        fn start_batch(calls: Vec<Invocation>) -> Vec<Result<Step, Failure>> {
            macro_rules! dispatch {
                ($($name:ident)*) => {
                    match calls[0].description.as_str() {
                        $(stringify!($name) => crate::batch::$name(&calls),)*
                        _ => calls.into_iter().map(Self::start).collect(),
                    }
                };
            }
            crate::batch_behaviours!(dispatch)
        }
    }

    consort_plugin_sdk::export_batching_adapter!(Hostile, "plugin.json");
}
