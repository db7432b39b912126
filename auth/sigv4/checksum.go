package sigv4

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"
)

// checksumOf returns the name and the function of the one checksum that follows
// a body, by x-amz-trailer.
func checksumOf(fields []string) (name string, sum hash.Hash, err error) {
	if len(fields) != 1 {
		return "", nil, errors.New("a body with a trailer needs x-amz-trailer once")
	}
	switch name = strings.ToLower(strings.TrimSpace(fields[0])); name {
	case "x-amz-checksum-crc32":
		sum = crc32.NewIEEE()
	case "x-amz-checksum-crc32c":
		sum = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "x-amz-checksum-crc64nvme":
		sum = crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) // the polynomial of NVMe, reflected
	case "x-amz-checksum-sha1":
		sum = sha1.New()
	case "x-amz-checksum-sha256":
		sum = sha256.New()
	default:
		return "", nil, errors.New("x-amz-trailer names no checksum that is known here")
	}
	return name, sum, nil
}
