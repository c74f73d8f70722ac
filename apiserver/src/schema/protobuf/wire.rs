//! The wire format of protobuf: numbered parts, one after the other, and what can be wrong with them in upstream's words.

/// Why bytes are no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// They end in the middle.
    #[error("unexpected EOF")]
    End,
    /// A number has too many bytes.
    #[error("proto: integer overflow")]
    Overflow,
    /// A field has a number that none can have.
    #[error("proto: illegal tag {0}")]
    Tag(i32),
    /// A part is of a type that does not exist.
    #[error("proto: illegal wireType {0}")]
    Type(u8),
    /// A group ends that did not begin.
    #[error("proto: unexpected end of group")]
    Group,
    /// A known field is encoded as something else than it is.
    #[error("proto: wrong wireType = {found} for field {field}")]
    Wrong {
        /// The type found.
        found: u8,
        /// The field's JSON name.
        field: String,
    },
    /// Messages in messages in messages.
    #[error("proto: messages are nested too deep")]
    Depth,
    /// The message is sound, but not what it holds.
    #[error("{0}")]
    Content(String),
}

/// What a part of a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'b> {
    /// A whole number or a boolean.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// A string, bytes, a message, or many numbers.
    Bytes(&'b [u8]),
    /// A group, whose content nobody wants.
    Group,
    /// Four bytes, which no field of Kubernetes has.
    Fixed32,
}

impl Payload<'_> {
    /// The number of the wire type.
    pub(super) fn wire_type(self) -> u8 {
        match self {
            Payload::Varint(_) => 0,
            Payload::Fixed64(_) => 1,
            Payload::Bytes(_) => 2,
            Payload::Group => 3,
            Payload::Fixed32 => 5,
        }
    }
}

/// Reads the parts of a message, each with its field's number. Ends after the first fault.
pub(super) struct Parts<'b>(&'b [u8]);

impl<'b> Parts<'b> {
    pub(super) fn of(message: &'b [u8]) -> Self {
        Self(message)
    }

    /// The next of packed numbers, if there is one.
    pub(super) fn number(&mut self) -> Option<Result<u64, Fault>> {
        (!self.0.is_empty()).then(|| self.varint())
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Fault::End)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::Overflow)
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], Fault> {
        let length = usize::try_from(length).map_err(|_| Fault::End)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Fault::End)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The number and the wire type that begin a part.
    fn tag(&mut self) -> Result<(i32, u8), Fault> {
        let tag = self.varint()?;
        // As upstream: what does not fit is cut off.
        let number = (tag >> 3) as i32;
        if number <= 0 { Err(Fault::Tag(number)) } else { Ok((number, (tag & 7) as u8)) }
    }

    fn payload(&mut self, wire_type: u8) -> Result<Payload<'b>, Fault> {
        Ok(match wire_type {
            0 => Payload::Varint(self.varint()?),
            1 => {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(self.take(8)?);
                Payload::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = self.varint()?;
                Payload::Bytes(self.take(length)?)
            }
            3 => self.skip_group()?,
            4 => return Err(Fault::Group),
            5 => {
                self.take(4)?;
                Payload::Fixed32
            }
            other => return Err(Fault::Type(other)),
        })
    }

    /// Skips to the end of a group that has begun; groups in it are counted, not followed.
    fn skip_group(&mut self) -> Result<Payload<'b>, Fault> {
        let mut open = 1_usize;
        while open > 0 {
            match self.tag()?.1 {
                3 => open += 1,
                4 => open -= 1,
                other => {
                    self.payload(other)?;
                }
            }
        }
        Ok(Payload::Group)
    }
}

impl<'b> Iterator for Parts<'b> {
    type Item = Result<(i32, Payload<'b>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let part = self.tag().and_then(|(number, wire_type)| Ok((number, self.payload(wire_type)?)));
        if part.is_err() {
            self.0 = &[];
        }
        Some(part)
    }
}
