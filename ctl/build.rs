//! Puts the labs of `examples/labs` into the program, so that `mini-ctl lab` needs nothing beside it.

use std::{env, fmt::Write as _, fs, path::Path};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let labs = Path::new(&root).join("../examples/labs").canonicalize()?;
    println!("cargo::rerun-if-changed={}", labs.display());
    let mut code = format!("pub(super) static INDEX: &str = include_str!({:?});\n", labs.join("README.md"));
    code += "pub(super) static LABS: &[(&str, &[(&str, &str)])] = &[\n";
    for lab in names(&labs)? {
        let folder = labs.join(&lab);
        if folder.is_dir() {
            println!("cargo::rerun-if-changed={}", folder.display());
            let mut files = String::new();
            for file in names(&folder)? {
                write!(files, "({file:?}, include_str!({:?})), ", folder.join(&file))?;
            }
            writeln!(code, "    ({lab:?}, &[{files}]),")?;
        }
    }
    code += "];\n";
    fs::write(Path::new(&env::var("OUT_DIR")?).join("labs.rs"), code)?;
    Ok(())
}

/// The names of what is in a folder, sorted.
fn names(folder: &Path) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().into_string().map_err(|name| format!("{name:?} is not UTF-8"))?);
    }
    names.sort();
    Ok(names)
}
