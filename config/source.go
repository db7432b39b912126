package config

import "gatehouse/config/tree"

// source is one file of configuration and what may be named from it.
type source struct {
	file *tree.File
	dir  string // the absolute folder that relative paths start from
	jail *jail  // what binds an included file; nil for the main file
}

// jail binds an included file: it may name files of its own folder and the
// environment variables that the include lists, nothing else.
type jail struct {
	of      string // what kind of file it is, in messages; "" for an included file
	secrets []string
}

func (j *jail) String() string {
	if j.of == "" {
		return "an included file"
	}
	return j.of
}

// add makes a file known, so that its lines can be echoed and its values know
// what they may name.
func (d *decoder) add(s *source) *source {
	d.byFile[s.file] = s
	d.sources.texts = append(d.sources.texts, s.file)
	return s
}

// source returns the file that n stands in.
func (n *Node) source() *source { return n.d.byFile[n.v.File] }

// parse returns the document of s, or nil after reporting why there is none.
func (d *decoder) parse(s *source) *tree.Value {
	return s.file.Parse(d.told)
}

// told adds what is wrong with a file as such.
func (d *decoder) told(p tree.Problem) {
	d.report.Add(Problem{Pos: p.Pos, Message: p.Message, Hint: p.Hint})
}
