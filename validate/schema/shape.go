package schema

import (
	"maps"
	"slices"
)

// Shape is what a schema wants a parameter to consist of.
type Shape struct {
	Kind    ShapeKind
	Members []string // of an object, as far as they are named
}

// ShapeKind is what a parameter consists of.
type ShapeKind uint8

// The kinds of shapes.
const (
	ShapeOne ShapeKind = iota // a single value
	ShapeArray
	ShapeObject
)

// Shape returns the shape of values that fit s, as far as it can be told before
// there is a value: where some may be a single value, it is one.
func (s *Schema) Shape() Shape {
	var all types
	members := make(map[string]bool)
	s.shape(&all, members, 0)
	switch {
	case all&(typeString|typeNumber|typeInteger|typeBoolean) != 0:
		return Shape{}
	case all&typeArray != 0:
		return Shape{Kind: ShapeArray}
	case all&typeObject != 0:
		return Shape{Kind: ShapeObject, Members: slices.Sorted(maps.Keys(members))}
	}
	return Shape{}
}

func (s *Schema) shape(all *types, members map[string]bool, depth int) {
	if s == nil || depth > 16 {
		return
	}
	*all |= s.types
	if s.types == anyType && s.object != nil && len(s.object.members) > 0 {
		*all |= typeObject
	}
	if s.types == anyType && s.array != nil && s.array.items != nil {
		*all |= typeArray
	}
	if s.object != nil {
		for name := range s.object.members {
			members[name] = true
		}
	}
	s.ref.shape(all, members, depth+1)
	if s.logic == nil {
		return
	}
	for _, sub := range slices.Concat(s.logic.all, s.logic.any, s.logic.one) {
		sub.shape(all, members, depth+1)
	}
}

// Member returns the shape of one member of an object that fits s.
func (s *Schema) Member(name string) Shape {
	if m := s.member(name, 0); m != nil {
		return m.Shape()
	}
	return Shape{}
}

func (s *Schema) member(name string, depth int) *Schema {
	if s == nil || depth > 16 {
		return nil
	}
	if s.object != nil {
		if m := s.object.members[name]; m.schema != nil {
			return m.schema
		}
	}
	if m := s.ref.member(name, depth+1); m != nil {
		return m
	}
	if s.logic == nil {
		return nil
	}
	for _, sub := range slices.Concat(s.logic.all, s.logic.any, s.logic.one) {
		if m := sub.member(name, depth+1); m != nil {
			return m
		}
	}
	return nil
}
