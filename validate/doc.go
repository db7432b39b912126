// Package validate holds requests against what the definition of their
// operation says: parameters of path, query, headers and cookies, and bodies.
package validate
