//! The folders that a path leads through, symbolic links included: a change in any of them can change the file.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

/// Links that are followed, as the kernel does (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// One step: in this folder the name is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) folder: PathBuf,
    pub(super) name: OsString,
}

/// All steps from the root to the file, or to what is missing.
pub(super) fn steps(path: &Path) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut here = PathBuf::from("/");
    let Ok(path) = std::path::absolute(path) else {
        return steps;
    };
    let mut ahead: VecDeque<OsString> = names(&path).into();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&name);
        steps.push(Step {
            folder: here.clone(),
            name,
        });
        let Ok(kind) = fs::symlink_metadata(&next) else {
            return steps;
        };
        if !kind.is_symlink() {
            here = next;
            continue;
        }
        links += 1;
        let Ok(target) = fs::read_link(&next) else {
            return steps;
        };
        if links > MAX_LINKS {
            return steps;
        }
        if target.is_absolute() {
            here = PathBuf::from("/");
        }
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    steps
}

fn names(path: &Path) -> Vec<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_and_stand_in_the_list() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("..v1")).unwrap();
        fs::write(root.join("..v1/tls.crt"), "x").unwrap();
        symlink("..v1", root.join("..data")).unwrap();
        symlink("..data/tls.crt", root.join("tls.crt")).unwrap();
        let found = steps(&root.join("tls.crt"));
        let step = |folder: &str, name: &str| Step {
            folder: root.join(folder),
            name: name.into(),
        };
        let ours: Vec<_> = found
            .into_iter()
            .filter(|step| step.folder.starts_with(&root))
            .collect();
        let wanted = [
            step("", "tls.crt"),
            step("", "..data"),
            step("", "..v1"),
            step("..v1", "tls.crt"),
        ];
        assert_eq!(ours, wanted);
    }

    #[test]
    fn it_ends_where_something_is_missing_or_goes_in_circles() {
        let folder = tempfile::tempdir().unwrap();
        let missing = steps(&folder.path().join("gone/a.crt"));
        assert_eq!(missing.last().unwrap().name, "gone");
        symlink("loop", folder.path().join("loop")).unwrap();
        assert!(steps(&folder.path().join("loop")).len() < 2 * MAX_LINKS);
    }
}
