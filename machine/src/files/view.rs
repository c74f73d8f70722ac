//! The files as one container sees them: a root, what is mounted over it, and the way from a path to an inode.

use std::{cell::Cell, sync::Arc};

use super::{
    Credentials, Entry, Kind, Stat, Tree,
    access::{self, EXECUTE, Owned},
    generated::{Generated, Made},
    node::{Data, Ino, ROOT},
    tree::Handle,
};
use crate::{Errno, kernel::Pid};

/// How many symlinks one path may lead over.
const MOST_LINKS: usize = 40;
/// The longest a path may be.
const LONGEST_PATH: usize = 4096;

/// Who asks for a path, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) who: &'a Credentials,
    /// Where relative paths begin.
    pub(crate) cwd: &'a str,
    /// Who `/proc/self` is; 0: nobody.
    pub(crate) pid: Pid,
    /// Where it is counted how many names were gone through.
    pub(crate) work: Option<&'a Cell<u32>>,
}

/// What is mounted.
#[derive(Clone)]
pub(crate) enum Source {
    Tree(Arc<Tree>),
    Generated(Arc<dyn Generated>),
}

/// Something mounted over a path.
pub(crate) struct Mount {
    /// Where, as it was asked for.
    pub(crate) path: Box<str>,
    /// The inode that it hides.
    over: (u64, Ino),
    /// What is seen instead, and holds it.
    held: Option<Handle>,
    source: Source,
    pub(crate) read_only: bool,
    /// As `/proc/mounts` calls the device and the file system.
    pub(crate) device: Box<str>,
    pub(crate) kind: &'static str,
}

/// The files as one container sees them.
pub(crate) struct View {
    root: Arc<Tree>,
    root_read_only: bool,
    mounts: Vec<Mount>,
}

/// An inode that a path led to.
#[derive(Clone)]
pub(crate) struct Place {
    /// Where it is: a tree and an inode, or a generated path.
    pub(crate) spot: Spot,
    pub(crate) read_only: bool,
}

#[derive(Clone)]
pub(crate) enum Spot {
    Node(Arc<Tree>, Ino),
    Made(Arc<dyn Generated>, String, Made),
}

/// What becomes of a symlink at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Last {
    /// It is followed.
    Follow,
    /// It is what is meant.
    Keep,
}

/// Where a path led.
pub(crate) struct Walk {
    /// The directories on the way, the root first, and at last what was found; each with its name.
    way: Vec<(Place, String)>,
    /// The last name, if nothing has it.
    pub(crate) missing: Option<String>,
}

impl Walk {
    /// What was found; or, if the last name was missing, the directory it is missing in.
    pub(crate) fn place(&self) -> &Place {
        &self.way[self.way.len() - 1].0
    }

    /// What was found.
    pub(crate) fn found(self) -> Result<Place, Errno> {
        match (self.missing, self.way.into_iter().next_back()) {
            (None, Some((place, _))) => Ok(place),
            _ => Err(Errno::ENOENT),
        }
    }

    /// Its path without symlinks.
    pub(crate) fn path(&self) -> String {
        let names = self.way.iter().skip(1).map(|(_, name)| name).chain(&self.missing);
        let path: String = names.flat_map(|name| ["/", name]).collect();
        if path.is_empty() { "/".to_owned() } else { path }
    }

    /// The directory that has, or would have, the last name, and that name. `None`: it is the root.
    pub(crate) fn parent(&self) -> Option<(&Place, &str)> {
        match &self.missing {
            Some(name) => Some((self.place(), name)),
            None => {
                let parent = self.way.len().checked_sub(2)?;
                Some((&self.way[parent].0, &self.way[parent + 1].1))
            }
        }
    }

    /// Whether this directory was gone through to where the last name is, or would be.
    pub(crate) fn passes(&self, place: &Place) -> bool {
        let end = if self.missing.is_some() { self.way.len() } else { self.way.len() - 1 };
        self.way[..end].iter().any(|(on, _)| on.is(place))
    }
}

impl Place {
    fn id(&self) -> Option<(u64, Ino)> {
        match &self.spot {
            Spot::Node(tree, ino) => Some((tree.id(), *ino)),
            Spot::Made(..) => None,
        }
    }

    /// Whether both are the same inode.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id().is_some_and(|id| other.id() == Some(id))
    }

    /// What it is, to be looked at: a tree and an inode. EROFS of what is generated: this is asked by those who would change it.
    pub(crate) fn node(&self) -> Result<(&Arc<Tree>, Ino), Errno> {
        match &self.spot {
            Spot::Node(tree, ino) => Ok((tree, *ino)),
            Spot::Made(..) => Err(Errno::EROFS),
        }
    }

    /// The same for who will change it: EROFS if it is mounted read-only.
    pub(crate) fn writable(&self) -> Result<(&Arc<Tree>, Ino), Errno> {
        if self.read_only { Err(Errno::EROFS) } else { self.node() }
    }

    pub(crate) fn owned(&self) -> Result<Owned, Errno> {
        let stat = self.stat()?;
        Ok(Owned { mode: stat.mode, uid: stat.uid, gid: stat.gid, directory: stat.kind == Kind::Directory })
    }

    pub(crate) fn stat(&self) -> Result<Stat, Errno> {
        match &self.spot {
            Spot::Node(tree, ino) => tree.stat(*ino),
            Spot::Made(_, path, made) => Ok(made_stat(path, made)),
        }
    }

    pub(crate) fn kind(&self) -> Result<Kind, Errno> {
        match &self.spot {
            Spot::Node(tree, ino) => tree.look(*ino, super::node::Node::kind),
            Spot::Made(_, _, made) => Ok(made_kind(made)),
        }
    }

    pub(crate) fn readlink(&self) -> Result<String, Errno> {
        match &self.spot {
            Spot::Node(tree, ino) => tree.look(*ino, |node| match &node.data {
                Data::Symlink(target) => Ok(target.to_string()),
                _ => Err(Errno::EINVAL),
            })?,
            Spot::Made(_, _, Made::Link(target)) => Ok(target.clone()),
            Spot::Made(_, _, Made::Descriptor(_, fd)) => Ok(format!("pipe:[{fd}]")),
            Spot::Made(..) => Err(Errno::EINVAL),
        }
    }

    /// Whether it may be entered.
    fn enterable(&self, who: &Credentials) -> Result<(), Errno> {
        let owned = match &self.spot {
            Spot::Node(tree, ino) => {
                tree.look(*ino, |node| Owned { mode: node.mode, uid: node.uid, gid: node.gid, directory: node.kind() == Kind::Directory })?
            }
            Spot::Made(..) => self.owned()?,
        };
        if !owned.directory {
            return Err(Errno::ENOTDIR);
        }
        access::check(who, owned, EXECUTE)
    }

    fn lookup(&self, name: &str, pid: Pid) -> Result<Option<Self>, Errno> {
        let spot = match &self.spot {
            Spot::Node(tree, ino) => tree.lookup(*ino, name)?.map(|ino| Spot::Node(tree.clone(), ino)),
            Spot::Made(source, path, _) => {
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
                source.make(pid, &path).map(|made| Spot::Made(source.clone(), path, made))
            }
        };
        Ok(spot.map(|spot| Self { spot, read_only: self.read_only }))
    }
}

fn made_kind(made: &Made) -> Kind {
    match made {
        Made::Directory(_) => Kind::Directory,
        Made::File(_) => Kind::File,
        Made::Link(_) | Made::Descriptor(..) => Kind::Symlink,
    }
}

fn made_stat(path: &str, made: &Made) -> Stat {
    let (mode, size, links) = match made {
        Made::Directory(_) => (0o555, 0, 2),
        Made::File(_) => (0o444, 0, 1),
        Made::Link(target) => (0o777, target.len() as u64, 1),
        Made::Descriptor(..) => (0o700, 64, 1),
    };
    // Its path tells it from others as well as a number would.
    let inode = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)) >> 16;
    Stat { kind: made_kind(made), mode, uid: 0, gid: 0, size, links, modified: jiff::Timestamp::UNIX_EPOCH, device: 0, inode }
}

/// The names of a path, last first, so that the next is the last of them. A slash at the end asks for a directory, as a dot does.
fn steps(path: &str) -> Vec<String> {
    let mut names: Vec<String> = path.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if path.ends_with('/') {
        names.push(".".to_owned());
    }
    names.reverse();
    names
}

impl View {
    /// A root and nothing mounted.
    pub(crate) fn new(root: Arc<Tree>, read_only: bool) -> Self {
        Self { root, root_read_only: read_only, mounts: Vec::new() }
    }

    pub(crate) fn root(&self) -> &Arc<Tree> {
        &self.root
    }

    pub(crate) fn root_is_read_only(&self) -> bool {
        self.root_read_only
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Mounts over a path, which must lead to something of the same kind: directory over directory, file over file. `inner` is the
    /// path in the source that is seen; "/" is its root.
    pub(crate) fn mount(
        &mut self,
        path: &str,
        source: Source,
        inner: &str,
        read_only: bool,
        names: (&'static str, &str),
    ) -> Result<(), Errno> {
        let asker = Asker { who: &Credentials::default(), cwd: "/", pid: 0, work: None };
        let over = self.walk(asker, path, Last::Follow)?.found()?;
        let (held, kind) = match &source {
            Source::Tree(tree) => {
                let found = View::new(tree.clone(), false).walk(asker, inner, Last::Follow)?.found()?;
                let (tree, ino) = found.node()?;
                (Some(Handle::new(tree, ino)), found.kind()?)
            }
            Source::Generated(_) => (None, Kind::Directory),
        };
        match (over.kind()? == Kind::Directory, kind == Kind::Directory) {
            (true, false) => return Err(Errno::EISDIR),
            (false, true) => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let over = over.id().ok_or(Errno::EINVAL)?;
        self.mounts.push(Mount { path: path.into(), over, held, source, read_only, device: names.1.into(), kind: names.0 });
        Ok(())
    }

    /// Whether something is mounted there, so that it cannot be removed or renamed.
    pub(crate) fn is_mounted(&self, place: &Place) -> bool {
        let id = place.id();
        self.mounts
            .iter()
            .any(|mount| id == Some(mount.over) || mount.held.as_ref().is_some_and(|held| id == Some((held.tree().id(), held.ino()))))
    }

    /// What is seen where a place is: itself, or what is mounted over it last.
    fn cross(&self, mut place: Place, pid: Pid) -> Place {
        while let Some(mount) = place.id().and_then(|id| self.mounts.iter().rev().find(|mount| mount.over == id)) {
            let spot = match (&mount.source, &mount.held) {
                (Source::Generated(source), _) => {
                    let made = source.make(pid, "").unwrap_or(Made::Directory(Vec::new()));
                    Spot::Made(source.clone(), String::new(), made)
                }
                (Source::Tree(_), Some(held)) => Spot::Node(held.tree().clone(), held.ino()),
                (Source::Tree(tree), None) => Spot::Node(tree.clone(), ROOT),
            };
            place = Place { spot, read_only: mount.read_only };
        }
        place
    }

    /// Goes where a path leads. Only the last name may be missing.
    pub(crate) fn walk(&self, asker: Asker<'_>, path: &str, last: Last) -> Result<Walk, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= LONGEST_PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let root = self.cross(Place { spot: Spot::Node(self.root.clone(), ROOT), read_only: self.root_read_only }, asker.pid);
        let mut way = vec![(root, String::new())];
        let mut steps_left = steps(path);
        if !path.starts_with('/') {
            steps_left.extend(steps(asker.cwd));
        }
        let mut links = 0;
        while let Some(name) = steps_left.pop() {
            if let Some(work) = asker.work {
                work.set(work.get().saturating_add(1));
            }
            let at = &way[way.len() - 1].0;
            at.enterable(asker.who)?;
            match name.as_str() {
                "." => continue,
                ".." => {
                    way.truncate((way.len() - 1).max(1));
                    continue;
                }
                _ => {}
            }
            let Some(next) = at.lookup(&name, asker.pid)? else {
                return if steps_left.is_empty() { Ok(Walk { way, missing: Some(name) }) } else { Err(Errno::ENOENT) };
            };
            let is_followed = !steps_left.is_empty() || last == Last::Follow;
            let is_magic = matches!(next.spot, Spot::Made(_, _, Made::Descriptor(..)));
            if is_followed && !is_magic && next.kind()? == Kind::Symlink {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::ELOOP);
                }
                let target = next.readlink()?;
                if target.starts_with('/') {
                    way.truncate(1);
                }
                steps_left.extend(steps(&target));
                continue;
            }
            way.push((self.cross(next, asker.pid), name));
        }
        Ok(Walk { way, missing: None })
    }

    /// The path of a directory without symlinks, if it may be entered.
    pub(crate) fn enter(&self, asker: Asker<'_>, path: &str) -> Result<String, Errno> {
        let walk = self.walk(asker, path, Last::Follow)?;
        let path = walk.path();
        walk.found()?.enterable(asker.who)?;
        Ok(path)
    }

    /// The entries of a directory.
    pub(crate) fn list(&self, place: &Place, pid: Pid) -> Result<Vec<Entry>, Errno> {
        match &place.spot {
            Spot::Node(tree, ino) => tree.list(*ino),
            Spot::Made(_, _, Made::Directory(names)) => Ok(names
                .iter()
                .filter_map(|name| {
                    let stat = place.lookup(name, pid).ok()??.stat().ok()?;
                    Some(Entry { name: name.clone(), kind: stat.kind, inode: stat.inode })
                })
                .collect()),
            Spot::Made(..) => Err(Errno::ENOTDIR),
        }
    }
}
