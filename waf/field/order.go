package field

// order takes the names of the headers in the order in which the client sent
// them. HTTP/2's compression keeps it too, but the engine does not tell it.
func (v *View) order(value *Value) {
	if v.X.Conn.Order == nil {
		value.Absent = true
		return
	}
	value.add(Part{Text: v.X.Conn.Order()})
}
