//! *Examples* are the numbered workflows in `examples/`, and a program that embeds
//! the engine. Each workflow says in its comment header how to run it, on a line
//! `#     consort …`; one that needs a server says so on a line `# Needs: …` and is
//! only validated.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::{Failed, Step, workspace};
use crate::tools::{build, build_program};

/// Runs every example.
pub(crate) fn examples() -> Result<(), Failed> {
    let folder = workspace().join("examples");
    let consort = build(&["consort"])?.join("consort");
    let files = numbered(&folder)?;
    for file in &files {
        println!();
        run_example(&consort, &folder, file)?;
    }
    println!();
    Step::new(build_program("coordinator")?).run()?;
    println!("\n{} examples did what they say", files.len() + 1);
    Ok(())
}

/// Runs one example, or validates it if it needs something.
pub(crate) fn run_example(consort: &Path, folder: &Path, file: &str) -> Result<(), Failed> {
    let text = fs::read_to_string(folder.join(file))
        .map_err(|error| Failed::new(format!("could not read examples/{file}: {error}")))?;
    let example = Example::read(&text)
        .ok_or_else(|| Failed::new(format!("examples/{file} does not say how to run it")))?;
    let run = Step::new(consort).within(folder);
    let Some(needs) = example.needs else { return run.args(example.args).run() };
    println!("{file} needs {needs}: only validated");
    run.args(["validate", file]).args(example.secrets()).run()
}

fn numbered(folder: &PathBuf) -> Result<Vec<String>, Failed> {
    let unreadable = |error| Failed::new(format!("could not list examples/: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") && name.starts_with(|c: char| c.is_ascii_digit()) {
            files.push(name);
        }
    }
    files.sort();
    if files.is_empty() { Err(Failed::new("there are no examples")) } else { Ok(files) }
}

/// What an example's header says.
#[derive(Debug, PartialEq, Eq)]
struct Example<'a> {
    /// Behind `consort`.
    args: Vec<&'a str>,
    needs: Option<&'a str>,
}

impl<'a> Example<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let header = || text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
        let command = header().find_map(|line| line.strip_prefix("consort "))?;
        Some(Self {
            args: command.split_whitespace().collect(),
            needs: header().find_map(|line| line.strip_prefix("Needs: ")),
        })
    }

    /// The secrets of the command, for a command that only checks names.
    fn secrets(&self) -> Vec<&'a str> {
        let pairs = self.args.windows(2).filter(|pair| pair[0] == "--secret");
        pairs.flat_map(|pair| ["--secret", pair[1].split('=').next().unwrap_or_default()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_how_to_run_an_example() {
        let text = "# A chain.\n#\n#     consort run 01.yaml --secret K=env:X --quiet\n# Needs: a server\n- {}\n# consort no\n";
        let example = Example::read(text).expect("a header");
        assert_eq!(example.args, ["run", "01.yaml", "--secret", "K=env:X", "--quiet"]);
        assert_eq!(example.needs, Some("a server"));
        assert_eq!(example.secrets(), ["--secret", "K"]);
        assert_eq!(Example::read("- {}\n# consort run x\n"), None);
    }
}
