//! Frames about streams and the connection: priorities, resets, settings, windows, pings, the peer's end.

use super::{Engine, GOING_AWAY, Leaving};
use crate::h2::frame::{self, Header, PAYLOAD_BYTES_MAX, Reason, WINDOW_MAX};

impl Engine {
    pub(super) fn priority(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if header.stream == 0 || frame::number(payload) == Some(header.stream) {
            return Err(Reason::ProtocolError);
        }
        if payload.len() == 5 {
            return Ok(());
        }
        match self.find(header.stream) {
            Some(at) => {
                let stream = self.streams.swap_remove(at);
                self.fail(stream, Reason::FrameSizeError, out);
                Ok(())
            }
            None => Err(Reason::FrameSizeError),
        }
    }

    pub(super) fn rst_stream(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if payload.len() != 4 {
            return Err(Reason::FrameSizeError);
        }
        if header.stream == 0 || self.is_idle(header.stream) {
            return Err(Reason::ProtocolError);
        }
        // One that is over costs nothing: some clients (curl) reset each stream once they have its answer. A flood of them
        // is bytes that ask for nothing.
        if let Some(at) = self.find(header.stream) {
            self.resets += 1;
            let mut stream = self.streams.swap_remove(at);
            self.forget(&mut stream);
            self.give_back(out);
        }
        Ok(())
    }

    pub(super) fn settings(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if header.stream != 0 {
            return Err(Reason::ProtocolError);
        }
        if header.has(frame::ACK) {
            self.is_acknowledged = true;
            return if payload.is_empty() { Ok(()) } else { Err(Reason::FrameSizeError) };
        }
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Reason::FrameSizeError);
        }
        self.has_settings = true;
        self.settings += 1;
        for [i0, i1, v0, v1, v2, v3] in settings {
            self.set(u16::from_be_bytes([*i0, *i1]), u32::from_be_bytes([*v0, *v1, *v2, *v3]))?;
        }
        frame::write_settings_ack(out);
        self.resume(out);
        Ok(())
    }

    /// Section 6.5.2. The peer's table size needs no look: ours is 0. Frames are never larger than the least bound.
    fn set(&mut self, id: u16, value: u32) -> Result<(), Reason> {
        match id {
            frame::ENABLE_PUSH if value > 1 => Err(Reason::ProtocolError),
            frame::MAX_FRAME_SIZE if !(PAYLOAD_BYTES_MAX as u32..=0xff_ffff).contains(&value) => {
                Err(Reason::ProtocolError)
            }
            frame::INITIAL_WINDOW_SIZE => {
                if i64::from(value) > WINDOW_MAX {
                    return Err(Reason::FlowControlError);
                }
                let change = i64::from(value) - i64::from(self.stream_send_window);
                self.stream_send_window = value;
                for stream in &mut self.streams {
                    stream.send_window += change;
                    if stream.send_window > WINDOW_MAX {
                        return Err(Reason::FlowControlError);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn ping(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if header.stream != 0 {
            return Err(Reason::ProtocolError);
        }
        let payload: [u8; 8] = payload.try_into().map_err(|_| Reason::FrameSizeError)?;
        if !header.has(frame::ACK) {
            frame::write_ping(out, frame::ACK, payload);
        } else if payload == GOING_AWAY && self.leaving == Leaving::Soon {
            self.leaving = Leaving::Now;
            frame::write_go_away(out, self.last_stream, Reason::NoError);
        }
        Ok(())
    }

    pub(super) fn go_away(&mut self, header: Header, payload: &[u8]) -> Result<(), Reason> {
        if header.stream != 0 {
            return Err(Reason::ProtocolError);
        }
        if payload.len() < 8 {
            return Err(Reason::FrameSizeError);
        }
        self.peer_is_leaving = true;
        Ok(())
    }

    pub(super) fn window_update(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Reason> {
        if payload.len() != 4 {
            return Err(Reason::FrameSizeError);
        }
        let increment = i64::from(frame::number(payload).unwrap_or_default());
        if header.stream == 0 {
            if increment == 0 {
                return Err(Reason::ProtocolError);
            }
            self.send_window += increment;
            if self.send_window > WINDOW_MAX {
                return Err(Reason::FlowControlError);
            }
            self.resume(out);
            return Ok(());
        }
        if self.is_idle(header.stream) {
            return Err(Reason::ProtocolError);
        }
        // One that is closed may still be spoken of.
        let Some(at) = self.find(header.stream) else { return Ok(()) };
        let Some(stream) = self.streams.get_mut(at) else { return Ok(()) };
        stream.send_window += increment;
        let reason = match increment {
            0 => Reason::ProtocolError,
            _ if stream.send_window > WINDOW_MAX => Reason::FlowControlError,
            _ => {
                self.resume(out);
                return Ok(());
            }
        };
        let stream = self.streams.swap_remove(at);
        self.fail(stream, reason, out);
        Ok(())
    }
}
