package grpcweb

import "strings"

const (
	web  = "application/grpc-web"
	text = "-text"
	grpc = "application/grpc"
)

// Kind reports whether a media type is gRPC-Web's, and whether bodies of it are
// in base64. Messages is what kind of messages they hold: "+proto", or "".
func Kind(mediaType string) (messages string, isText, ok bool) {
	rest, ok := strings.CutPrefix(mediaType, web)
	if !ok {
		return "", false, false
	}
	rest, isText = strings.CutPrefix(rest, text)
	rest, _, _ = strings.Cut(rest, ";")
	rest = strings.TrimRight(rest, " ")
	if rest != "" && rest[0] != '+' {
		return "", false, false
	}
	return rest, isText, true
}

// GRPC returns gRPC's media type for a kind of messages.
func GRPC(messages string) string { return grpc + messages }

// Web returns gRPC-Web's media type for one of gRPC.
func Web(mediaType string, isText bool) string {
	messages := strings.TrimPrefix(mediaType, grpc)
	if isText {
		return web + text + messages
	}
	return web + messages
}
