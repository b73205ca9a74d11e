//! The codecs of this build, by what the log records.

use annals_event::CodecId;
use serde::de::DeserializeSeed;

use crate::codec::{Codec, CodecError};

/// What a seed makes of bytes that the codec `id` wrote; `None` if that is neither `own` nor a
/// codec of this build.
pub(crate) fn decode_seed<'de, S: DeserializeSeed<'de>>(
    own: &impl Codec,
    id: CodecId,
    seed: S,
    bytes: &'de [u8],
) -> Option<Result<S::Value, CodecError>> {
    match id {
        id if id == own.id() => Some(own.decode_seed(seed, bytes)),
        #[cfg(feature = "bincode")]
        CodecId::BINCODE => Some(crate::codec::bincode::Bincode.decode_seed(seed, bytes)),
        #[cfg(feature = "json")]
        CodecId::JSON => Some(crate::codec::json::Json.decode_seed(seed, bytes)),
        #[cfg(feature = "msgpack")]
        CodecId::MESSAGE_PACK => {
            Some(crate::codec::message_pack::MessagePack.decode_seed(seed, bytes))
        }
        #[cfg(feature = "postcard")]
        CodecId::POSTCARD => Some(crate::codec::postcard::Postcard.decode_seed(seed, bytes)),
        _ => None,
    }
}

/// The feature that has the codec `id`, if one has.
pub(crate) fn feature(id: CodecId) -> Option<&'static str> {
    match id {
        CodecId::BINCODE => Some("bincode"),
        CodecId::JSON => Some("json"),
        CodecId::MESSAGE_PACK => Some("msgpack"),
        CodecId::POSTCARD => Some("postcard"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_has_the_feature_of_its_name() {
        let codecs = [CodecId::BINCODE, CodecId::JSON, CodecId::MESSAGE_PACK, CodecId::POSTCARD]
            .map(feature);
        assert_eq!(codecs, ["bincode", "json", "msgpack", "postcard"].map(Some));
        assert_eq!(feature(CodecId(200)), None);
    }
}
