//! A *catalog* turns what people write (`echo`, `echo@sha256:…`, `./mine.wasm`)
//! into the source of one plugin.
//!
//! It knows the plugins that are part of the binary and those of one directory.
//! A plugin of the directory stands in for an embedded one of the same name,
//! and of several of one name the one with the highest version is meant.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{LoadError, short_digest};
use crate::manifest::{Kind, Manifest};
use crate::scan::scan;
use crate::source::{EmbeddedPlugin, Source, digest, file_name, read_file};

/// The shortest part of a digest that is enough to name a plugin.
const SHORTEST_DIGEST: usize = 12;

/// The plugins that can be named.
#[derive(Debug)]
pub struct Catalog {
    embedded: &'static [EmbeddedPlugin],
    directory: Option<PathBuf>,
    found: Vec<Found>,
    problems: Vec<LoadError>,
}

/// A plugin of the directory.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    listing: Listing,
}

/// What is known about one plugin without loading it.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its name.
    pub name: String,
    /// Its author's version.
    pub version: String,
    /// Which contract it exports.
    pub kind: Kind,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Where it was found.
    pub origin: Origin,
    /// Bytes of its file.
    pub size: u64,
    /// All that it says about itself.
    pub manifest: Manifest,
}

/// Where a plugin was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Part of this binary.
    Embedded,
    /// A file of the plugins directory.
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("built in"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Catalog {
    /// Reads the manifest of every `*.wasm` file in `directory`. A file that is
    /// no plugin is passed over and kept in [`Catalog::problems`].
    pub fn new(
        embedded: &'static [EmbeddedPlugin],
        directory: Option<&Path>,
    ) -> Result<Self, LoadError> {
        let mut catalog = Self {
            embedded,
            directory: directory.map(Path::to_owned),
            found: Vec::new(),
            problems: Vec::new(),
        };
        for path in directory.map(wasm_files).transpose()?.unwrap_or_default() {
            match Listing::of_file(&path) {
                Ok(listing) => catalog.found.push(Found { path, listing }),
                Err(problem) => catalog.problems.push(problem),
            }
        }
        Ok(catalog)
    }

    /// The source of the plugin that `reference` means: `name`,
    /// `name@sha256:…`, `name@` and 12 or more digits of its digest, or a file,
    /// which has a `/` in it or ends in `.wasm`.
    pub fn find(&self, reference: &str) -> Result<Source, LoadError> {
        if reference.contains(['/', std::path::MAIN_SEPARATOR]) || reference.ends_with(".wasm") {
            return Ok(Source::File(reference.into()));
        }
        match reference.split_once('@') {
            None => self.find_by_name(reference),
            Some((name, wanted)) => self.find_by_digest(reference, name, wanted),
        }
    }

    /// All plugins that a name can mean, the embedded ones first, then by name.
    pub fn list(&self) -> Result<Vec<Listing>, LoadError> {
        let embedded = self.embedded.iter().map(Listing::of_embedded);
        let mut all = embedded.collect::<Result<Vec<_>, _>>()?;
        all.extend(self.found.iter().map(|found| found.listing.clone()));
        Ok(all)
    }

    /// Files of the directory that are no plugins, and why.
    pub fn problems(&self) -> &[LoadError] {
        &self.problems
    }

    fn find_by_name(&self, name: &str) -> Result<Source, LoadError> {
        let version = |found: &&Found| Version::of(&found.listing.version);
        let Some(newest) = self.named(name).max_by_key(version) else {
            let embedded = self.embedded.iter().find(|plugin| plugin.name == name);
            return embedded.map(Source::Embedded).ok_or_else(|| self.unknown(name));
        };
        let as_new = self.named(name).filter(|found| version(found) == version(&newest));
        unambiguous(name, as_new.collect())?;
        Ok(Source::File(newest.path.clone()))
    }

    fn find_by_digest(
        &self,
        reference: &str,
        name: &str,
        wanted: &str,
    ) -> Result<Source, LoadError> {
        let prefix = wanted.strip_prefix("sha256:").unwrap_or(wanted).to_ascii_lowercase();
        if !(SHORTEST_DIGEST..=64).contains(&prefix.len())
            || !prefix.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(LoadError::Unknown {
                name: reference.to_owned(),
                hint: format!(
                    "after the '@' comes a sha256 digest, or its first {SHORTEST_DIGEST} or more \
                     hexadecimal digits"
                ),
            });
        }
        let fits =
            |digest: &str| digest.strip_prefix("sha256:").unwrap_or(digest).starts_with(&prefix);
        if let Some(plugin) = self.embedded.iter().find(|p| p.name == name && fits(p.digest)) {
            return Ok(Source::Embedded(plugin));
        }
        let fitting: Vec<&Found> = self.named(name).filter(|f| fits(&f.listing.digest)).collect();
        let Some(first) = fitting.first() else {
            let embedded = self.embedded.iter().filter(|p| p.name == name).map(|p| p.digest);
            let found = self.named(name).map(|found| found.listing.digest.as_str());
            let digests: Vec<&str> = found.chain(embedded).collect();
            if digests.is_empty() {
                return Err(self.unknown(name));
            }
            return Err(LoadError::Digest {
                plugin: name.to_owned(),
                wanted: wanted.to_owned(),
                found: digests.join(" or "),
            });
        };
        let source =
            Source::Pinned { path: first.path.clone(), digest: first.listing.digest.clone() };
        unambiguous(reference, fitting)?;
        Ok(source)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Found> {
        self.found.iter().filter(move |found| found.listing.name == name)
    }

    fn unknown(&self, name: &str) -> LoadError {
        let mut names: Vec<&str> = self.embedded.iter().map(|plugin| plugin.name).collect();
        names.extend(self.found.iter().map(|found| found.listing.name.as_str()));
        names.sort_unstable();
        names.dedup();
        let nearest = names
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, name), *known))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .min();
        let mut hint = match nearest {
            Some((_, nearest)) => format!("did you mean '{nearest}'? "),
            None => String::new(),
        };
        match names.as_slice() {
            [] => hint.push_str("no plugins are known"),
            names => {
                hint.push_str("known are ");
                hint.push_str(&names.join(", "));
            }
        }
        match &self.directory {
            Some(directory) => hint.push_str(&format!(
                " (built in, or in '{}'); a file is written with its path",
                directory.display()
            )),
            None => hint.push_str("; a file is written with its path, such as ./mine.wasm"),
        }
        if let Some(problem) = self.problems.first() {
            hint.push_str(&format!("; passed over: {problem}"));
        }
        LoadError::Unknown { name: name.to_owned(), hint }
    }
}

impl Listing {
    /// Reads a plugin file without loading it.
    pub fn of_file(path: &Path) -> Result<Self, LoadError> {
        let label = path.display().to_string();
        let (bytes, _) = read_file(path, u64::MAX)?;
        let manifest = scan(&label, &file_name(path), &bytes)?.manifest;
        Ok(Self::new(manifest, digest(&bytes), Origin::File(path.to_owned()), bytes.len()))
    }

    fn of_embedded(plugin: &EmbeddedPlugin) -> Result<Self, LoadError> {
        let manifest = scan(plugin.name, plugin.name, plugin.component)?.manifest;
        let size = plugin.component.len();
        Ok(Self::new(manifest, plugin.digest.to_owned(), Origin::Embedded, size))
    }

    fn new(manifest: Manifest, digest: String, origin: Origin, size: usize) -> Self {
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            kind: manifest.kind,
            digest,
            origin,
            size: size as u64,
            manifest,
        }
    }
}

/// The `*.wasm` files of a directory, in the order of their names.
fn wasm_files(directory: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let failed = |source| LoadError::Read { path: directory.display().to_string(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Refuses to choose between plugins that are not the same.
fn unambiguous(reference: &str, found: Vec<&Found>) -> Result<(), LoadError> {
    let mut listings: Vec<&Listing> = found.into_iter().map(|found| &found.listing).collect();
    listings.dedup_by(|a, b| a.digest == b.digest);
    if listings.len() < 2 {
        return Ok(());
    }
    let candidates: Vec<String> = listings
        .iter()
        .map(|l| format!("{} {} @{} ({})", l.name, l.version, short_digest(&l.digest), l.origin))
        .collect();
    Err(LoadError::Ambiguous { reference: reference.to_owned(), candidates: candidates.join(", ") })
}

/// Ordered as semantic versioning does, as far as people use it: numbers by
/// value, a pre-release before its release, build metadata not at all.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    numbers: Vec<u64>,
    /// `false` sorts first.
    released: bool,
    pre_release: String,
}

impl Version {
    fn of(text: &str) -> Self {
        let text = text.split('+').next().unwrap_or_default();
        let (release, pre_release) = match text.split_once('-') {
            Some((release, pre_release)) => (release, Some(pre_release)),
            None => (text, None),
        };
        let mut numbers: Vec<u64> = release.split('.').map(|n| n.parse().unwrap_or(0)).collect();
        numbers.resize(numbers.len().max(3), 0);
        Self {
            numbers,
            released: pre_release.is_none(),
            pre_release: pre_release.unwrap_or_default().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
