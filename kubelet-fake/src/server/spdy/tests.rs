//! A small client of SPDY, and what is done with what it says.

use std::{future::Future, time::Duration};

use tokio::io::{DuplexStream, duplex};

use super::{
    super::streams::{Connection, converse},
    headers::tests::Deflater,
    *,
};

/// What a client says to a server, and what it hears.
struct Client {
    stream: DuplexStream,
    deflater: Deflater,
    inflater: Inflater,
}

/// One frame of the server: the words of a control frame and its kind, or data.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Control(u16, Vec<u32>),
    Data(u32, u8, Vec<u8>),
}

impl Client {
    async fn open(&mut self, stream: u32, flags: u8, headers: &[(&str, &str)]) {
        let block = self.deflater.block(headers);
        let mut frame = control(SYN_STREAM, &[stream, 0], &[&[0, 0][..], &block].concat()).to_vec();
        frame[4] = flags;
        self.say(&frame).await;
    }

    async fn say(&mut self, frame: &[u8]) {
        self.stream.write_all(frame).await.unwrap();
    }

    /// The next frame; `None` at the end.
    async fn hear(&mut self) -> Option<Frame> {
        let mut head = [0; 8];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, d, flags, lengths @ ..] = head;
        let mut body = vec![0; lengths.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))];
        self.stream.read_exact(&mut body).await.unwrap();
        if a & 0x80 == 0 {
            return Some(Frame::Data(u32::from_be_bytes([a, b, c, d]), flags, body));
        }
        assert_eq!(u16::from_be_bytes([a, b]), CONTROL);
        let kind = u16::from_be_bytes([c, d]);
        if kind == SYN_REPLY {
            assert_eq!(self.inflater.block(&body[4..]).unwrap().0, []);
            body.truncate(4);
        }
        let words = body.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        Some(Frame::Control(kind, words))
    }
}

/// A client, and a server that says what `talk` says.
fn meet<F: Future<Output = ()>>(talk: impl FnOnce(Connection) -> F) -> (Client, impl Future<Output = ()>) {
    let (stream, theirs) = duplex(1 << 20);
    let (read, write) = split(theirs);
    let voice = Voice { out: Out::Connection(Box::new(write)), opened: false, newest: 0 };
    (Client { stream, deflater: Deflater::new(), inflater: Inflater::new() }, converse(Frames::new(read), voice, talk))
}

/// Accepts streams and sends back what comes on them, for ever.
async fn echo(mut connection: Connection) {
    let mut echoes = Vec::new();
    while let Some(opened) = connection.opened().await {
        if opened.headers.get("streamtype") == "nothing" {
            opened.refuse().await;
            continue;
        }
        let (mut reader, mut writer) = opened.accept().await;
        echoes.push(mini_daemon::tasks::detach("echo", async move {
            if tokio::io::copy(&mut reader, &mut writer).await.is_ok() {
                writer.shutdown().await.unwrap();
            }
        }));
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_opened_and_carried_both_ways() {
    let (mut client, serving) = meet(echo);
    let using = async {
        client.open(1, 0, &[("streamtype", "data")]).await;
        assert_eq!(client.hear().await, Some(Frame::Control(SYN_REPLY, vec![1])));
        client.open(3, 0, &[("streamtype", "nothing")]).await;
        assert_eq!(client.hear().await, Some(Frame::Control(RST_STREAM, vec![3, REFUSED])));
        client.say(&control(SETTINGS, &[0], &[])).await;
        client.say(&control(WINDOW_UPDATE, &[1, 100], &[])).await;
        client.say(&control(PING, &[2], &[])).await;
        client.say(&control(PING, &[7], &[])).await;
        assert_eq!(client.hear().await, Some(Frame::Control(PING, vec![7])));
        let block = client.deflater.block(&[("more", "headers")]);
        client.say(&control(HEADERS, &[1], &block)).await;
        client.say(&data(1, 0, b"hello ")).await;
        client.say(&data(99, 0, b"to nobody")).await;
        client.say(&data(1, FIN, b"world")).await;
        let mut said = Vec::new();
        loop {
            match client.hear().await.unwrap() {
                Frame::Data(1, 0, bytes) => said.extend(bytes),
                frame => break assert_eq!(frame, Frame::Data(1, FIN, vec![])),
            }
        }
        assert_eq!(said, b"hello world");
        // One that is known to end when it begins.
        client.open(5, FIN, &[("streamtype", "data")]).await;
        assert_eq!(client.hear().await, Some(Frame::Control(SYN_REPLY, vec![5])));
        assert_eq!(client.hear().await, Some(Frame::Data(5, FIN, vec![])));
        client.say(&control(GOAWAY, &[5, 0], &[])).await;
        drop(client);
    };
    tokio::join!(using, serving);
}

#[tokio::test(start_paused = true)]
async fn a_long_frame_is_carried_in_parts() {
    let (mut client, serving) = meet(echo);
    let using = async {
        client.open(1, 0, &[("streamtype", "data")]).await;
        assert_eq!(client.hear().await, Some(Frame::Control(SYN_REPLY, vec![1])));
        let sent: Vec<u8> = (0..3 << 20).map(|index: u32| u8::try_from(index * 31 % 251).unwrap()).collect();
        let frame = data(1, FIN, &sent);
        let (mut read, mut write) = split(client.stream);
        let reading = async {
            let mut heard = Vec::new();
            read.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let writing = async {
            write.write_all(&frame).await.unwrap();
            // The end of the answer, and then of the client.
            tokio::time::sleep(Duration::from_secs(1)).await;
            write.shutdown().await.unwrap();
        };
        let (heard, ()) = tokio::join!(reading, writing);
        let (mut rest, mut came) = (&heard[..], Vec::<u8>::new());
        while let Some((head, more)) = rest.split_first_chunk::<8>() {
            let length = usize::try_from(u32::from_be_bytes([0, head[5], head[6], head[7]])).unwrap();
            assert!(length <= CHUNK);
            came.extend(&more[..length]);
            rest = &more[length..];
        }
        assert!(came == sent, "{} bytes of {} came back", came.len(), sent.len());
    };
    tokio::join!(using, serving);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_given_up_is_an_error_for_who_reads_it() {
    let (told, tell) = tokio::sync::oneshot::channel();
    let (mut client, serving) = meet(async move |mut connection: Connection| {
        let (mut reader, _writer) = connection.opened().await.unwrap().accept().await;
        let mut bytes = Vec::new();
        let error = reader.read_to_end(&mut bytes).await.unwrap_err();
        told.send((error.kind(), bytes)).unwrap();
    });
    let using = async {
        client.open(1, 0, &[]).await;
        client.say(&data(1, 0, b"x")).await;
        client.say(&control(RST_STREAM, &[1, 5], &[])).await;
        assert_eq!(tell.await.unwrap(), (io::ErrorKind::ConnectionReset, b"x".to_vec()));
        assert_eq!(client.hear().await, Some(Frame::Control(SYN_REPLY, vec![1])));
        assert_eq!(client.hear().await, Some(Frame::Control(GOAWAY, vec![1, 0])), "there is nothing more to say");
        // Who does not hang up is hung up on.
        assert_eq!(client.hear().await, None);
    };
    tokio::join!(using, serving);
}

#[tokio::test(start_paused = true)]
async fn there_are_not_too_many_streams_and_not_too_much_is_kept() {
    let (mut client, serving) = meet(async move |mut connection: Connection| {
        let mut ends = Vec::new();
        while let Some(opened) = connection.opened().await {
            ends.push(opened.accept().await);
        }
    });
    let using = async {
        let mut refused = 0;
        for id in 0..1100 {
            client.open(2 * id + 1, 0, &[]).await;
            match client.hear().await.unwrap() {
                Frame::Control(SYN_REPLY, _) => assert_eq!(refused, 0),
                Frame::Control(RST_STREAM, words) => refused += usize::from(words == [2 * id + 1, REFUSED]),
                frame => panic!("{frame:?}"),
            }
        }
        assert_eq!(refused, 1100 - 1024);
        // Nobody reads: the client cannot get rid of more than what the budget and the pipe hold.
        let mut sent = 0;
        let mebibyte = vec![0; 1 << 20];
        let flooding = async {
            loop {
                client.say(&data(1, 0, &mebibyte)).await;
                sent += 1;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), flooding).await.unwrap_err();
        assert!(sent <= 2, "{sent} MiB were taken");
        drop(client);
    };
    tokio::select! {
        () = using => {}
        () = serving => panic!("it ended"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_no_sense_ends_the_connection() {
    let open = |stream: u32| {
        let block = Deflater::new().block(&[]);
        control(SYN_STREAM, &[stream, 0], &[&[0, 0][..], &block].concat()).to_vec()
    };
    let mut version = control(PING, &[1], &[]).to_vec();
    version[1] = 2;
    let mut endless = control(PING, &[1], &[]).to_vec();
    endless[5] = 0xff;
    for (what, frame) in [
        ("a stream of ours", open(2)),
        ("no stream", open(0)),
        ("a stream beyond all", open(1 << 31 | 1)),
        ("an old stream", [open(3), open(1)].concat()),
        ("headers that are none", control(SYN_STREAM, &[1, 0], b"\0\0garbage").to_vec()),
        ("no headers", control(SYN_STREAM, &[1, 0], &[]).to_vec()),
        ("an answer", control(SYN_REPLY, &[1], &[]).to_vec()),
        ("a kind there is not", control(77, &[1], &[]).to_vec()),
        ("a short frame", control(RST_STREAM, &[], &[0]).to_vec()),
        ("another version", version),
        ("a frame that is too long", endless),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n".to_vec()),
    ] {
        let (mut client, serving) = meet(echo);
        client.say(&frame).await;
        client.stream.shutdown().await.unwrap();
        tokio::time::timeout(Duration::from_secs(1), serving).await.unwrap_or_else(|_| panic!("{what} is taken"));
    }
}
