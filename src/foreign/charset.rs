//! Texts in the code pages of old programs.

use std::borrow::Cow;

/// How the bytes of a text are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Table(&'static Table),
}

/// A code page: ASCII, and these characters from byte 128 on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: &'static str,
    upper: &'static str,
}

/// The code pages that have a name.
pub(super) static TABLES: [Table; 8] = [
    Table {
        name: "cp437",
        upper: "\
            ÇüéâäàåçêëèïîìÄÅ\
            ÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
            áíóúñÑªº¿⌐¬½¼¡«»\
            ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
            └┴┬├─┼╞╟╚╔╩╦╠═╬╧\
            ╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
            αßΓπΣσµτΦΘΩδ∞φε∩\
            ≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
    },
    Table {
        name: "cp850",
        upper: "\
            ÇüéâäàåçêëèïîìÄÅ\
            ÉæÆôöòûùÿÖÜø£Ø×ƒ\
            áíóúñÑªº¿®¬½¼¡«»\
            ░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
            └┴┬├─┼ãÃ╚╔╩╦╠═╬¤\
            ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
            ÓßÔÒõÕµþÞÚÛÙýÝ¯´\
            \u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
    },
    Table {
        name: "cp852",
        upper: "\
            ÇüéâäůćçłëŐőîŹÄĆ\
            ÉĹĺôöĽľŚśÖÜŤťŁ×č\
            áíóúĄąŽžĘę¬źČş«»\
            ░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐\
            └┴┬├─┼Ăă╚╔╩╦╠═╬¤\
            đĐĎËďŇÍÎě┘┌█▄ŢŮ▀\
            ÓßÔŃńňŠšŔÚŕŰýÝţ´\
            \u{ad}˝˛ˇ˘§÷¸°¨˙űŘř■\u{a0}",
    },
    Table {
        name: "cp866",
        upper: "\
            АБВГДЕЖЗИЙКЛМНОП\
            РСТУФХЦЧШЩЪЫЬЭЮЯ\
            абвгдежзийклмноп\
            ░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
            └┴┬├─┼╞╟╚╔╩╦╠═╬╧\
            ╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
            рстуфхцчшщъыьэюя\
            ЁёЄєЇїЎў°∙·√№¤■\u{a0}",
    },
    Table {
        name: "cp1250",
        upper: "\
            €\u{fffd}‚\u{fffd}„…†‡\u{fffd}‰Š‹ŚŤŽŹ\
            \u{fffd}‘’“”•–—\u{fffd}™š›śťžź\
            \u{a0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{ad}®Ż\
            °±˛ł´µ¶·¸ąş»Ľ˝ľż\
            ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ\
            ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
            ŕáâăäĺćçčéęëěíîď\
            đńňóôőö÷řůúűüýţ˙",
    },
    Table {
        name: "cp1251",
        upper: "\
            ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏ\
            ђ‘’“”•–—\u{fffd}™љ›њќћџ\
            \u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї\
            °±Ііґµ¶·ё№є»јЅѕї\
            АБВГДЕЖЗИЙКЛМНОП\
            РСТУФХЦЧШЩЪЫЬЭЮЯ\
            абвгдежзийклмноп\
            рстуфхцчшщъыьэюя",
    },
    Table {
        name: "cp1252",
        upper: "\
            €\u{fffd}‚ƒ„…†‡ˆ‰Š‹Œ\u{fffd}Ž\u{fffd}\
            \u{fffd}‘’“”•–—˜™š›œ\u{fffd}žŸ\
            \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯\
            °±²³´µ¶·¸¹º»¼½¾¿\
            ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ\
            ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
            àáâãäåæçèéêëìíîï\
            ðñòóôõö÷øùúûüýþÿ",
    },
    Table {
        name: "latin1",
        upper: "\
            \u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\
            \u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\u{8e}\u{8f}\
            \u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\
            \u{98}\u{99}\u{9a}\u{9b}\u{9c}\u{9d}\u{9e}\u{9f}\
            \u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯\
            °±²³´µ¶·¸¹º»¼½¾¿\
            ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏ\
            ÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞß\
            àáâãäåæçèéêëìíîï\
            ðñòóôõö÷øùúûüýþÿ",
    },
];

impl Charset {
    /// The code page with that name; `utf8` has ASCII, too.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "utf8" => Some(Self::Utf8),
            _ => TABLES.iter().find(|table| table.name == name).map(Self::Table),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Table(table) => table.name,
        }
    }

    /// The most bytes of UTF-8 that one byte can become.
    pub(super) fn widest(self) -> u32 {
        match self {
            Self::Utf8 => 1,
            Self::Table(table) => table.upper.chars().map(char::len_utf8).max().unwrap_or(1) as u32,
        }
    }

    /// The text of these bytes.
    pub(super) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, String> {
        match (self, std::str::from_utf8(bytes)) {
            (Self::Utf8, Ok(text)) => Ok(text.into()),
            (Self::Utf8, Err(error)) => {
                Err(format!("{:?} is not UTF-8: {error}", String::from_utf8_lossy(bytes)))
            }
            (Self::Table(_), Ok(text)) if text.is_ascii() => Ok(text.into()),
            (Self::Table(table), _) => table.decode(bytes).map(Cow::Owned),
        }
    }
}

impl Charset {
    /// The bytes of this text.
    pub(super) fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, String> {
        let Self::Table(table) = self else { return Ok(text.as_bytes().into()) };
        if text.is_ascii() {
            return Ok(text.as_bytes().into());
        }
        let byte = |letter: char| match letter {
            '\0'..='\x7f' => Some(letter as u8),
            '\u{fffd}' => None,
            _ => {
                let at = table.upper.chars().position(|upper| upper == letter)?;
                u8::try_from(at + 128).ok()
            }
        };
        let bytes = text.chars().map(|letter| {
            byte(letter).ok_or_else(|| format!("{} has no character {letter:?}", table.name))
        });
        bytes.collect::<Result<Vec<u8>, String>>().map(Cow::Owned)
    }
}

impl Table {
    fn decode(&self, bytes: &[u8]) -> Result<String, String> {
        let upper: Vec<char> = self.upper.chars().collect();
        let mut text = String::with_capacity(bytes.len());
        for &byte in bytes {
            let decoded = match byte {
                0..128 => char::from(byte),
                _ => upper.get(usize::from(byte - 128)).copied().unwrap_or('\u{fffd}'),
            };
            if decoded == '\u{fffd}' {
                return Err(format!("byte {byte:#04x} is no character of {}", self.name));
            }
            text.push(decoded);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_page_has_256_characters() {
        for table in &TABLES {
            assert_eq!(table.upper.chars().count(), 128, "{}", table.name);
        }
        for table in &TABLES {
            let charset = Charset::Table(table);
            for byte in 0..=255 {
                let Ok(text) = charset.decode(&[byte]).map(|text| text.into_owned()) else {
                    continue;
                };
                assert_eq!(&*charset.encode(&text).unwrap(), [byte], "{}", table.name);
            }
        }
        assert!(Charset::named("cp437").unwrap().encode("\u{20ac}").unwrap_err().contains("cp437"));
        let decode = |name, bytes: &[u8]| {
            Charset::named(name).unwrap().decode(bytes).map(|text| text.into_owned())
        };
        assert_eq!(decode("cp437", b"\x80\x9b\xe1").unwrap(), "\u{c7}\u{a2}\u{df}");
        assert_eq!(decode("cp1252", b"a\x80\xfc").unwrap(), "a\u{20ac}\u{fc}");
        assert_eq!(decode("cp1251", b"\xc4\xe0").unwrap(), "\u{414}\u{430}");
        assert_eq!(decode("latin1", b"\x80\xa0").unwrap(), "\u{80}\u{a0}");
        assert!(decode("cp1252", b"\x81").unwrap_err().contains("byte 0x81"));
        assert!(decode("utf8", b"\x81").is_err() && Charset::named("ebcdic").is_none());
    }
}
