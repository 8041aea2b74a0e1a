//! Components that are a burden before any of their code runs: too large, or
//! made to keep the compiler busy.

use std::time::Duration;

use consort_plugin_host::{HostOptions, LoadError, LoadOptions, PluginHost, Source};
use consort_tests::{guests, modules};

fn host(load: LoadOptions) -> PluginHost {
    PluginHost::new(HostOptions { load, ..HostOptions::default() }).unwrap()
}

fn source(name: &str, bytes: Vec<u8>) -> Source {
    Source::Bytes { name: name.to_owned(), bytes }
}

/// An adapter with `functions` functions that call each other, each of about
/// `size` bytes.
fn adapter(functions: usize, size: usize) -> Vec<u8> {
    let body = "(local.set 0 (i32.add (local.get 0) (i32.load (local.get 0))))".repeat(size / 8);
    let function = |n: usize| {
        let callee = (n + 1) % functions;
        format!("(func $f{n} (param i32) {body} (call $f{callee} (local.get 0)))")
    };
    let functions: String = (0..functions).map(function).collect();
    modules::component_of(&format!(
        r#"(module (memory (export "memory") 1) (;realloc;) (;start;) (;resume;) (;cancel;)
            {functions})"#
    ))
}

/// Nobody compiles 5,000 functions in a millisecond. The thread that goes on
/// does so without the host, which does something else.
#[tokio::test]
async fn a_component_that_keeps_the_compiler_busy() {
    let impatient =
        host(LoadOptions { compile_time: Duration::from_millis(1), ..LoadOptions::default() });
    let bomb = source("bomb", adapter(5_000, 200));
    for attempt in 0..3 {
        let error = impatient.load(&bomb).await.unwrap_err();
        assert!(matches!(error, LoadError::CompileTime { .. }), "attempt {attempt}: {error}");
        let message = error.to_string();
        assert!(message.contains("'bomb'") && message.contains("0.001 s"), "{message}");
        assert!(message.contains("'compile_time'"), "{message}");
        assert!(error.hint().unwrap().contains("compile_time"));
    }
    let patient = host(LoadOptions::default());
    assert_eq!(&**patient.load(&guests::source("echo")).await.unwrap().name(), "echo");
}

/// Refused before the compiler sees it: the time and memory it takes grow
/// faster than a function's size.
#[tokio::test]
async fn a_component_with_a_huge_function() {
    let host = host(LoadOptions { function_size: 4_000, ..LoadOptions::default() });
    host.load(&source("small", adapter(2, 2_000))).await.unwrap();
    match host.load(&source("huge", adapter(2, 8_000))).await.unwrap_err() {
        LoadError::TooLarge { plugin, size, most, limit, .. } => {
            assert_eq!((plugin.as_str(), most, limit), ("huge", 4_000, "function_size"));
            assert!((8_000..16_000).contains(&size), "{size}");
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_component_that_is_too_large() {
    let (bytes, _) = guests::component("echo");
    let all = bytes.len() as u64;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("echo.wasm");
    std::fs::write(&path, bytes).unwrap();
    for source in [source("echo", bytes.to_vec()), Source::File(path)] {
        let limited =
            |component_size| host(LoadOptions { component_size, ..LoadOptions::default() });
        limited(all).load(&source).await.unwrap();
        match limited(all - 1).load(&source).await.unwrap_err() {
            LoadError::TooLarge { size, most, limit, .. } => {
                assert_eq!((size, most, limit), (all, all - 1, "component_size"));
            }
            other => panic!("{other}"),
        }
    }
}
