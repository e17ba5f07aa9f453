use std::{fs, path::Path};

/// Every file below a folder, hidden ones too.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    // A folder that became empty may be removed meanwhile.
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}
