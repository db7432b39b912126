package basic

import (
	"fmt"
	"strings"

	"gatehouse/auth/place"
	"gatehouse/config"
)

// Config is how callers are known by name and password.
type Config struct {
	config.At
	Users    map[string]*User `yaml:"users" doc:"argon2id hashes of passwords, by the user's name: gatehouse hash makes one"`
	File     config.File      `yaml:"file" doc:"a file with a line NAME:HASH for each user, beside users"`
	Remember config.Duration  `yaml:"remember" default:"1m" range:"0s..10m" doc:"how long a password that was right is remembered, by a keyed hash: what argon2id costs is spent once in that time"`
	Origins  []place.Origin   `yaml:"origins" single:"true" doc:"other web sites whose pages may make changes with the password that a browser adds of itself"`
}

// User is one user's hash.
type User struct {
	Name string `yaml:"-" key:"true"`
	hash *hash
	text string
}

// UnmarshalConfig reads the hash.
func (u *User) UnmarshalConfig(n *config.Node) {
	text, ok := n.Text()
	if !ok && n.Kind() != config.Scalar {
		n.Errorf("a user's hash is one text")
		return
	}
	h, err := parseHash(text)
	if err != nil {
		n.Hide()
		n.Errorf("the hash of %s %v", u.Name, err)
		return
	}
	u.hash, u.text = h, text
}

// ConfigSchema implements config.Schemer.
func (User) ConfigSchema() *config.Schema {
	return &config.Schema{Type: "string", Pattern: `^(\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+|.*\$\{.*)$`}
}

// Check implements config.Checker.
func (c *Config) Check(r *config.Report) {
	for name := range c.Users {
		if problem := checkName(name); problem != "" {
			r.Errorf(c.Of("users"), "the user %q %s", name, problem)
		}
	}
	file, problem := readFile(c.File.Content)
	switch {
	case problem != "":
		r.Errorf(c.Of("file"), "%s: %s", c.File.Path, problem)
		return
	case len(c.Users)+len(file) == 0:
		r.Errorf(c.Pos, "there are no users: write users: {NAME: HASH}, or file: FILE")
	}
	for name := range file {
		if c.Users[name] != nil {
			r.Errorf(c.Of("file"), "%s: the user %s is under users too", c.File.Path, name)
		}
	}
}

// maxName is how many bytes a user's name has at most.
const maxName = 256

// checkName returns what is wrong with a user's name: RFC 7617 section 2 knows
// neither colons nor control characters in it.
func checkName(name string) string {
	switch {
	case name == "":
		return "has no name"
	case len(name) > maxName:
		return "has too long a name"
	case strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r < ' ' || r == 0x7f }):
		return "has a colon or a control character in its name"
	}
	return ""
}

// readFile reads lines NAME:HASH. Empty ones and those with "#" first are passed
// over.
func readFile(content []byte) (map[string]*hash, string) {
	users := make(map[string]*hash)
	number := 0
	for line := range strings.Lines(string(content)) {
		number++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, ok := strings.Cut(line, ":")
		h, err := parseHash(text)
		switch problem := checkName(name); {
		case !ok:
			return nil, fmt.Sprintf("line %d is not NAME:HASH", number)
		case problem != "":
			return nil, fmt.Sprintf("line %d %s", number, problem)
		case err != nil:
			return nil, fmt.Sprintf("line %d: the hash of %s %v", number, name, err)
		case users[name] != nil:
			return nil, fmt.Sprintf("line %d: the user %s is there twice", number, name)
		}
		users[name] = h
	}
	return users, ""
}

// all returns every user's hash by name.
func (c *Config) all() map[string]*hash {
	users, _ := readFile(c.File.Content)
	for name, u := range c.Users {
		users[name] = u.hash
	}
	return users
}
