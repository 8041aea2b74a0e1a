//! A *hostile* transformer: it does what `do` in its configuration names.

/// All behaviours. The guest makes its dispatch from the list and the host's
/// tests check with it that no behaviour is without a test.
#[macro_export]
macro_rules! transformer_behaviours {
    ($each:ident) => {
        $each! { spin trap panic invalid_json huge_value fail throttle ask_the_network }
    };
}

/// Ways to look at a configuration that nobody wants.
#[macro_export]
macro_rules! check_behaviours {
    ($each:ident) => {
        $each! { check_spin check_trap check_flood check_huge check_nonsense check_the_network }
    };
}

macro_rules! names {
    ($($name:ident)*) => { &[$(stringify!($name)),*] };
}

/// The names of all behaviours of a transformation.
pub const BEHAVIOURS: &[&str] = transformer_behaviours!(names);

/// The names of all behaviours of a check.
pub const CHECKS: &[&str] = check_behaviours!(names);

#[cfg(target_family = "wasm")]
mod guest {
    use std::hint::black_box;
    use std::time::Duration;

    use consort_plugin_sdk::http::{Request, Wasi};
    use consort_plugin_sdk::serde_json::Value;
    use consort_plugin_sdk::{
        CheckedTransformer, Complaint, Failure, Payload, TransformContext, Transformer, config,
    };

    type Transformed = Result<Payload, Failure>;

    struct Hostile;

    impl Transformer for Hostile {
        fn transform(value: Payload, context: TransformContext) -> Transformed {
            let config: Value = context.parse_config()?;
            macro_rules! dispatch {
                ($($name:ident)*) => {
                    match config["do"].as_str() {
                        $(Some(stringify!($name)) => $name(value),)*
                        other => Err(Failure::invalid_input(format!("no behaviour named {other:?}"))),
                    }
                };
            }
            crate::transformer_behaviours!(dispatch)
        }
    }

    fn spin(_: Payload) -> Transformed {
        let mut turns = 0u64;
        loop {
            turns = black_box(turns).wrapping_add(1);
        }
    }

    fn trap(_: Payload) -> Transformed {
        core::arch::wasm32::unreachable()
    }

    fn panic(_: Payload) -> Transformed {
        panic!("this transformer meant to panic")
    }

    fn invalid_json(_: Payload) -> Transformed {
        Ok(Payload::Json("nope".into()))
    }

    fn huge_value(_: Payload) -> Transformed {
        Ok(Payload::Text("x".repeat(16 << 20)))
    }

    fn fail(_: Payload) -> Transformed {
        Err(Failure::permanent("this value does not please").with_code("displeased"))
    }

    fn throttle(_: Payload) -> Transformed {
        Err(Failure::throttled("later", Some(Duration::MAX)))
    }

    /// Transformers have no network, whatever they import.
    fn ask_the_network(_: Payload) -> Transformed {
        Ok(Payload::Text(Request::get("http://127.0.0.1:1/").send(&Wasi)?.text()?))
    }

    impl CheckedTransformer for Hostile {
        fn check(text: &str) -> Vec<Complaint> {
            let config: Value = config::parse(text).unwrap_or_default();
            macro_rules! dispatch {
                ($($name:ident)*) => {
                    match config["do"].as_str() {
                        $(Some(stringify!($name)) => $name(),)*
                        _ => Vec::new(),
                    }
                };
            }
            crate::check_behaviours!(dispatch)
        }
    }

    fn complaint(path: &str, message: &str) -> Complaint {
        Complaint { path: path.into(), message: message.into(), hint: None }
    }

    fn check_spin() -> Vec<Complaint> {
        let _ = spin(Payload::Text(String::new()));
        Vec::new()
    }

    fn check_trap() -> Vec<Complaint> {
        core::arch::wasm32::unreachable()
    }

    fn check_flood() -> Vec<Complaint> {
        (0..100_000).map(|_| complaint("", "no")).collect()
    }

    fn check_huge() -> Vec<Complaint> {
        vec![complaint("/do", &"x".repeat(16 << 20))]
    }

    fn check_nonsense() -> Vec<Complaint> {
        vec![complaint("~~/\u{1b}[2J/nowhere/0", "\u{1b}[31mred\n\0")]
    }

    /// Whoever checks has no network either.
    fn check_the_network() -> Vec<Complaint> {
        let asked = Request::get("http://127.0.0.1:1/").send(&Wasi);
        Complaint::of("/do", asked)
    }

    consort_plugin_sdk::export_checked_transformer!(Hostile, "plugin.json");
}
