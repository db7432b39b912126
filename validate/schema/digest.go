package schema

import (
	"cmp"
	"crypto/sha256"
	"hash"
	"slices"
	"strconv"

	"gatehouse/config/tree"
)

// shallow is the hash of a schema as it is written, and what it refers to.
type shallow struct {
	sum  [sha256.Size]byte
	refs []*tree.Value
}

// Digest returns a hash of a schema and all that it refers to, whatever the
// places where they stand; zero for nil.
func (c *Compiler) Digest(v *tree.Value) [sha256.Size]byte {
	if v == nil {
		return [sha256.Size]byte{}
	}
	if c.digests == nil {
		c.digests = make(map[*tree.Value]*shallow)
	}
	own := c.shallow(v)
	seen := map[*tree.Value]bool{v: true}
	var others [][sha256.Size]byte
	for todo := slices.Clone(own.refs); len(todo) > 0; {
		next := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[next] {
			continue
		}
		seen[next] = true
		s := c.shallow(next)
		others = append(others, s.sum)
		todo = append(todo, s.refs...)
	}
	slices.SortFunc(others, func(a, b [sha256.Size]byte) int { return cmp.Compare(string(a[:]), string(b[:])) })
	h := sha256.New()
	h.Write(own.sum[:])
	for _, o := range others {
		h.Write(o[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (c *Compiler) shallow(v *tree.Value) *shallow {
	if s := c.digests[v]; s != nil {
		return s
	}
	s := &shallow{}
	h := sha256.New()
	c.write(h, v, s)
	s.sum = [sha256.Size]byte(h.Sum(nil))
	c.digests[v] = s
	return s
}

// write writes a value so that no two differ in nothing but their texts. What
// says nothing to a request is left out.
func (c *Compiler) write(h hash.Hash, v *tree.Value, s *shallow) {
	switch v.Kind {
	case tree.Map:
		h.Write([]byte{'{'})
		for _, e := range v.Entries {
			switch e.Key {
			case "description", "title", "example", "examples", "externalDocs":
				if e.Value.Kind != tree.Map || e.Key == "externalDocs" {
					continue // a property may have such a name, and is a map
				}
			}
			h.Write([]byte(strconv.Quote(e.Key)))
			c.write(h, e.Value, s)
			if e.Key == "$ref" && e.Value.Kind == tree.Scalar {
				if to, err := c.Resolve(e.Value.File, e.Value.Text); err == nil {
					s.refs = append(s.refs, to)
				}
			}
		}
		h.Write([]byte{'}'})
	case tree.List:
		h.Write([]byte{'['})
		for _, item := range v.Items {
			c.write(h, item, s)
		}
		h.Write([]byte{']'})
	case tree.Scalar:
		h.Write([]byte(strconv.FormatBool(v.Plain) + strconv.Quote(v.Text)))
	default:
		h.Write([]byte{'0'})
	}
}
