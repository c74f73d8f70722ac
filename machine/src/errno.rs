//! What a system call answers when it fails: Linux's names, with the words that glibc has for them.
//!
//! The busybox image is linked with glibc, so its words are what people see. Knows nothing of who asked for what: the
//! program that prints an error names the file itself.

/// Declares the errors: name, number on Linux x86-64, words.
macro_rules! errors {
    ($($name:ident = $number:literal $words:literal),+ $(,)?) => {
        /// An error of a system call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        #[allow(missing_docs, reason = "the words of each are beside it")]
        pub enum Errno {
            $(#[error($words)] $name = $number,)+
        }

        #[cfg(test)]
        const ALL: &[Errno] = &[$(Errno::$name),+];
    };
}

errors! {
    EPERM = 1 "Operation not permitted",
    ENOENT = 2 "No such file or directory",
    ESRCH = 3 "No such process",
    EINTR = 4 "Interrupted system call",
    EIO = 5 "Input/output error",
    ENXIO = 6 "No such device or address",
    E2BIG = 7 "Argument list too long",
    ENOEXEC = 8 "Exec format error",
    EBADF = 9 "Bad file descriptor",
    ECHILD = 10 "No child processes",
    EAGAIN = 11 "Resource temporarily unavailable",
    ENOMEM = 12 "Cannot allocate memory",
    EACCES = 13 "Permission denied",
    EBUSY = 16 "Device or resource busy",
    EEXIST = 17 "File exists",
    EXDEV = 18 "Invalid cross-device link",
    ENODEV = 19 "No such device",
    ENOTDIR = 20 "Not a directory",
    EISDIR = 21 "Is a directory",
    EINVAL = 22 "Invalid argument",
    ENFILE = 23 "Too many open files in system",
    EMFILE = 24 "Too many open files",
    ENOTTY = 25 "Inappropriate ioctl for device",
    ETXTBSY = 26 "Text file busy",
    EFBIG = 27 "File too large",
    ENOSPC = 28 "No space left on device",
    ESPIPE = 29 "Illegal seek",
    EROFS = 30 "Read-only file system",
    EMLINK = 31 "Too many links",
    EPIPE = 32 "Broken pipe",
    ERANGE = 34 "Numerical result out of range",
    ENAMETOOLONG = 36 "File name too long",
    ENOSYS = 38 "Function not implemented",
    ENOTEMPTY = 39 "Directory not empty",
    ELOOP = 40 "Too many levels of symbolic links",
    EADDRINUSE = 98 "Address already in use",
    EADDRNOTAVAIL = 99 "Cannot assign requested address",
    ENETUNREACH = 101 "Network is unreachable",
    ECONNRESET = 104 "Connection reset by peer",
    ENOTCONN = 107 "Transport endpoint is not connected",
    ETIMEDOUT = 110 "Connection timed out",
    ECONNREFUSED = 111 "Connection refused",
    EHOSTUNREACH = 113 "No route to host",
}

impl Errno {
    /// Its number on Linux.
    pub fn number(self) -> i32 {
        self as i32
    }
}

impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        use std::io::ErrorKind;
        let kind = match errno {
            Errno::ENOENT => ErrorKind::NotFound,
            Errno::EPIPE => ErrorKind::BrokenPipe,
            Errno::ECONNREFUSED => ErrorKind::ConnectionRefused,
            Errno::ECONNRESET => ErrorKind::ConnectionReset,
            Errno::ETIMEDOUT => ErrorKind::TimedOut,
            Errno::EINTR => ErrorKind::Interrupted,
            _ => ErrorKind::Other,
        };
        Self::new(kind, errno)
    }
}

impl From<std::io::Error> for Errno {
    /// What a program inside is told of a failure outside.
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        if let Some(errno) = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>()) {
            return *errno;
        }
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::WriteZero => Self::EPIPE,
            ErrorKind::ConnectionRefused => Self::ECONNREFUSED,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Self::ECONNRESET,
            ErrorKind::TimedOut => Self::ETIMEDOUT,
            ErrorKind::NotFound => Self::ENOENT,
            _ => Self::EIO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_a_stream() {
        for errno in ALL {
            assert_eq!(Errno::from(std::io::Error::from(*errno)), *errno);
        }
    }
}
