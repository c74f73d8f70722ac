//! What an inode is, and images: tables of inodes that never change and are shared by all who use them.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use super::{Device, Kind, Mode};

/// The number of an inode within its tree. Never used again for another.
pub(crate) type Ino = u64;

/// The root of every tree.
pub(crate) const ROOT: Ino = 1;

/// The bytes of a file: shared with the image it came from until it is written.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Shared(Bytes),
    Own(Vec<u8>),
}

impl Content {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }

    /// What of a tree's budget it takes.
    pub(crate) fn charge(&self) -> u64 {
        match self {
            Self::Shared(_) => 0,
            Self::Own(bytes) => bytes.len() as u64,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Data {
    File(Content),
    Directory(BTreeMap<Box<str>, Ino>),
    Symlink(Box<str>),
    Device(Device),
    Fifo,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) data: Data,
    pub(crate) mode: Mode,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Names that lead here; of a directory two and one for each directory in it. 0: nobody but who has it open knows it.
    pub(crate) links: u32,
    pub(crate) modified: Timestamp,
}

impl Node {
    pub(crate) fn directory(mode: Mode, modified: Timestamp) -> Self {
        Self { data: Data::Directory(BTreeMap::new()), mode, uid: 0, gid: 0, links: 2, modified }
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.data {
            Data::File(_) => Kind::File,
            Data::Directory(_) => Kind::Directory,
            Data::Symlink(_) => Kind::Symlink,
            Data::Device(device) => Kind::Device(*device),
            Data::Fifo => Kind::Fifo,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        match &self.data {
            Data::File(content) => content.as_slice().len() as u64,
            Data::Directory(_) => 4096,
            Data::Symlink(target) => target.len() as u64,
            Data::Device(_) | Data::Fifo => 0,
        }
    }
}

/// A tree of files that never changes: the lower layer of any number of [`Tree`](super::Tree)s.
#[derive(Clone, Debug)]
pub struct Image {
    nodes: BTreeMap<Ino, Node>,
}

impl Image {
    /// An empty directory.
    pub fn empty() -> Arc<Self> {
        Self::of(BTreeMap::from([(ROOT, Node::directory(0o755, Timestamp::UNIX_EPOCH))]))
    }

    pub(crate) fn of(nodes: BTreeMap<Ino, Node>) -> Arc<Self> {
        Arc::new(Self { nodes })
    }

    pub(crate) fn get(&self, ino: Ino) -> Option<&Node> {
        self.nodes.get(&ino)
    }

    pub(crate) fn nodes(&self) -> &BTreeMap<Ino, Node> {
        &self.nodes
    }

    /// The first number that is free.
    pub(crate) fn next(&self) -> Ino {
        self.nodes.last_key_value().map_or(ROOT + 1, |(last, _)| last + 1)
    }
}
