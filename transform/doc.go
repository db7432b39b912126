// Package transform changes what passes: headers of the request on its way to
// the target and of the answer on its way back, and the path that the target
// sees. Values are templates over what the Exchange knows.
package transform
