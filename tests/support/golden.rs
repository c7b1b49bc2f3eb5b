//! Texts that people read, compared with those that are kept. `UPDATE_GOLDEN=1 cargo test` writes them again.

use std::path::Path;

/// The report of an outcome is the one in `tests/golden/FOLDER/NAME.txt`.
pub(crate) fn assert_report(folder: &str, name: &str, outcome: &ringback::check::Outcome) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder).join(format!("{name}.txt"));
    let seen = format!("{outcome}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        return std::fs::write(&path, seen).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(seen, golden, "{} differs; UPDATE_GOLDEN=1 writes it again", path.display());
}
