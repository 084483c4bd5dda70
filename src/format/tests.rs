//! docs/FORMAT.md and the code agree: the code writes and reads its example.

use super::*;

const DOCUMENT: &str = include_str!("../../docs/FORMAT.md");

/// The bytes of the document's example.
fn example() -> Vec<u8> {
    let schema = Schema::packed([
        Field::new("id", DataType::UInt32),
        Field::new("name", DataType::Utf8(5)).nullable(),
        Field::new("a name of more than forty bytes goes elsewhere", DataType::Int16).array(2),
    ])
    .unwrap();
    let file_id = std::array::from_fn(|index| 0xA0 + u8::try_from(index).unwrap());
    let (empty, region) = new_header(&schema, &b"demo"[..], false, file_id).unwrap();
    let two = Header {
        sequence: 2,
        counts: Counts { records: 2, live: 2, ..empty.counts },
        ..empty.clone()
    };

    let mut file = vec![0; usize::try_from(two.end_of_data().unwrap()).unwrap()];
    let mut put = |offset: u64, bytes: &[u8]| {
        let offset = usize::try_from(offset).unwrap();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
    };
    put(Slot::A.offset(), &empty.encode());
    put(Slot::B.offset(), &two.encode());
    put(DESCRIPTORS_OFFSET, &[&region[..], b"demo"].concat());
    let rows = [(1_u64, Value::Text("Ada"), [1, -1]), (2, Value::Null, [0, 256])];
    for (index, (id, name, pair)) in (0..).zip(rows) {
        let mut record = vec![0; 14];
        schema.fields()[0].write(&mut record, &Value::UInt(id)).unwrap();
        schema.fields()[1].write(&mut record, &name).unwrap();
        schema.fields()[2].write_elements(&mut record, &pair.map(Value::Int)).unwrap();
        put(two.data_offset + index * 14, &record);
    }
    file
}

/// `file` as `hexdump -C` shows it: sixteen bytes a line, runs of zeros as a star.
fn dump(file: &[u8]) -> String {
    let mut text = String::new();
    let mut starred = false;
    for (line, bytes) in file.chunks(16).enumerate() {
        if bytes.iter().all(|&byte| byte == 0) {
            if !starred {
                text.push_str("*\n");
            }
            starred = true;
            continue;
        }
        starred = false;
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let printed = bytes.iter().map(|&byte| match byte {
            b' '..=b'~' => char::from(byte),
            _ => '.',
        });
        let printed: String = printed.collect();
        text.push_str(&format!("{:06x}  {:47}  |{printed}|\n", line * 16, hex.join(" ")));
    }
    text
}

#[test]
fn the_code_writes_the_documents_example() {
    let dump = dump(&example());
    assert!(DOCUMENT.contains(&dump), "docs/FORMAT.md should show this:\n{dump}");
}

#[test]
fn the_documents_example_is_read() {
    let file = example();
    let (header, slot, _) = UnverifiedHeader::choose(&file, &file[4096..]).unwrap();
    assert_eq!(slot, Slot::B);
    let header = header.verify(file.len() as u64).unwrap();
    let region = &file[8192..usize::try_from(header.end_of_schema()).unwrap()];
    let schema = parse_schema(region, &header).unwrap();
    assert_eq!(&region[header.schema_len_bytes as usize..], b"demo");
    let second = &file[65_536 + 14..];
    let read = |name: &str| schema.field(name).unwrap().read(second).unwrap();
    assert_eq!(read("id"), Value::UInt(2));
    assert_eq!(read("name"), Value::Null);
}
