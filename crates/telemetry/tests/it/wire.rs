//! Just enough of protobuf's wire format to read the names out of an OTLP request.

/// The length-delimited fields `number` of a message, in order.
pub(crate) fn fields(message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut rest = message;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest);
        match key & 7 {
            0 => drop(varint(&mut rest)),
            1 => rest = &rest[8..],
            2 => {
                let length = usize::try_from(varint(&mut rest)).unwrap();
                let (value, after) = rest.split_at(length);
                rest = after;
                if key >> 3 == number {
                    found.push(value);
                }
            }
            5 => rest = &rest[4..],
            kind => panic!("wire type {kind} is not one of proto3"),
        }
    }
    found
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for (i, byte) in rest.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            *rest = &rest[i + 1..];
            break;
        }
    }
    value
}

/// The metric names of an `ExportMetricsServiceRequest`.
pub(crate) fn metric_names(request: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for resource_metrics in fields(request, 1) {
        for scope_metrics in fields(resource_metrics, 2) {
            for metric in fields(scope_metrics, 2) {
                let name = fields(metric, 1).first().copied().unwrap_or_default();
                names.push(String::from_utf8(name.to_vec()).unwrap());
            }
        }
    }
    names
}
