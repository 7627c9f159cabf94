//! Paths below the folder that may be read, without a file system.

/// `relative`, seen from `folder`, without `.` and `..`. Nothing where it is absolute or leaves the
/// folder that may be read.
pub(super) fn join(folder: &str, relative: &str) -> Option<String> {
    if relative.starts_with(['/', '~', '\\']) || relative.contains('\0') {
        return None;
    }
    let mut names: Vec<&str> = Vec::new();
    for name in folder.split('/').chain(relative.split('/')) {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// The way from one folder to another, as Terraform writes `path.module`.
pub(super) fn relative(from: &str, to: &str) -> String {
    let split = |path: &str| -> Vec<String> {
        path.split('/').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (split(from), split(to));
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let names: Vec<String> = up.chain(to.into_iter().skip(common)).collect();
    if names.is_empty() { ".".to_owned() } else { names.join("/") }
}
