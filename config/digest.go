package config

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"reflect"
	"slices"
)

// Digest returns a hash of what v says, whatever the places where it says it:
// two sections have the same digest when they mean the same to the letter. It
// tells changes apart for `plan`; of a File the content counts.
func Digest(v any) [sha256.Size]byte {
	h := sha256.New()
	digest(h, reflect.ValueOf(v))
	return [sha256.Size]byte(h.Sum(nil))
}

func digest(h hash.Hash, v reflect.Value) {
	if !v.IsValid() {
		h.Write([]byte{0})
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		digest(h, v.Elem())
	case reflect.Struct:
		digestStruct(h, v)
	case reflect.Slice, reflect.Array:
		digestLength(h, v.Len())
		for i := range v.Len() {
			digest(h, v.Index(i))
		}
	case reflect.Map:
		digestMap(h, v)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
	default:
		digestText(h, fmt.Sprint(v))
	}
}

func digestStruct(h hash.Hash, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		switch t.Field(i).Type {
		case reflect.TypeFor[At](), reflect.TypeFor[Pos]():
			continue
		}
		digestText(h, t.Field(i).Name)
		digest(h, v.Field(i))
	}
}

func digestMap(h hash.Hash, v reflect.Value) {
	keys := make(map[string]reflect.Value, v.Len())
	for _, k := range v.MapKeys() {
		keys[fmt.Sprint(k)] = k
	}
	digestLength(h, len(keys))
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		digestText(h, name)
		digest(h, v.MapIndex(keys[name]))
	}
}

func digestLength(h hash.Hash, n int) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func digestText(h hash.Hash, s string) {
	digestLength(h, len(s))
	h.Write([]byte(s))
}
