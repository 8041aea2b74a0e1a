//! Builds the hostile guests, and lists the hostile modules so that a module
//! without a test does not compile.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use consort_component_build::{Built, GuestCrate, build_or_exit};

const GUESTS: &[GuestCrate<'_>] = &[
    GuestCrate {
        name: "hostile-adapter",
        package: "consort-hostile-adapter",
        path: "tests/guests/hostile/adapter",
    },
    GuestCrate {
        name: "hostile-prioritizer",
        package: "consort-hostile-prioritizer",
        path: "tests/guests/hostile/prioritizer",
    },
    GuestCrate {
        name: "hostile-transformer",
        package: "consort-hostile-transformer",
        path: "tests/guests/hostile/transformer",
    },
    GuestCrate {
        name: "scripted",
        package: "consort-scripted-adapter",
        path: "tests/guests/scripted",
    },
    GuestCrate { name: "relay", package: "consort-test-relay", path: "tests/guests/relay" },
    GuestCrate { name: "remote", package: "consort-test-remote", path: "tests/guests/remote" },
    GuestCrate { name: "echo", package: "consort-adapter-echo", path: "plugins/adapters/echo" },
];

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    embed(&out, &build_or_exit(GUESTS))?;
    list_modules(&out)
}

/// Copies the components, which the next build may replace, and writes the list.
fn embed(out: &Path, components: &[Built]) -> io::Result<()> {
    let mut list = String::from("&[\n");
    for Built { name, path, digest } in components {
        let copy = out.join(format!("{name}.wasm"));
        fs::copy(path, &copy)?;
        push(&mut list, format_args!("({name:?}, {digest:?}, include_bytes!({copy:?})),\n"));
    }
    list.push_str("]\n");
    fs::write(out.join("components.rs"), list)
}

/// `MODULES`, and the macro that hands all their names to another one.
fn list_modules(out: &Path) -> io::Result<()> {
    let folder = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"))
        .join("guests/hostile/modules");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    let mut code =
        String::from("/// Name and text of each.\npub static MODULES: &[(&str, &str)] = &[\n");
    for name in &names {
        let file = folder.join(format!("{name}.wat"));
        push(&mut code, format_args!("({name:?}, include_str!({file:?})),\n"));
    }
    push(
        &mut code,
        format_args!(
            "];\n/// Hands the names of all modules to another macro.\n#[macro_export]\nmacro_rules! hostile_modules {{ ($each:ident) => {{ $each! {{ {} }} }}; }}\n",
            names.join(" ")
        ),
    );
    fs::write(out.join("modules.rs"), code)
}

fn push(code: &mut String, line: std::fmt::Arguments<'_>) {
    code.write_fmt(line).expect("writing to a string cannot fail");
}
