import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * Answers every request with the segments of its path, as various Java programs
 * would read them: one reading a line, its name and the segments in hex. Prints
 * its port, and ends with its standard input.
 */
public class PathServer {
    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", PathServer::answer);
        server.start();
        System.out.println(server.getAddress().getPort());
        while (System.in.read() >= 0) {
        }
        System.exit(0);
    }

    private static void answer(HttpExchange exchange) throws IOException {
        URI uri = exchange.getRequestURI();
        StringBuilder out = new StringBuilder();
        print(out, "decoded", split(uri.getPath()));
        print(out, "normalized", split(uri.normalize().getPath()));
        print(out, "raw", decoded(split(uri.getRawPath())));
        print(out, "without-parameters", decoded(cut(split(uri.getRawPath()))));
        print(out, "twice", decoded(split(uri.getPath())));
        print(out, "file", names(Path.of(uri.getPath()).normalize()));
        byte[] body = out.toString().getBytes(StandardCharsets.US_ASCII);
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static List<String> split(String path) {
        List<String> segments = new ArrayList<>();
        String rest = path.substring(1);
        if (rest.endsWith("/")) {
            rest = rest.substring(0, rest.length() - 1);
        }
        if (!rest.isEmpty()) {
            segments.addAll(List.of(rest.split("/", -1)));
        }
        return segments;
    }

    /** What a servlet container leaves of segments. */
    private static List<String> cut(List<String> segments) {
        List<String> left = new ArrayList<>();
        for (String s : segments) {
            int at = s.indexOf(';');
            left.add(at < 0 ? s : s.substring(0, at));
        }
        return left;
    }

    private static List<String> decoded(List<String> segments) {
        List<String> plain = new ArrayList<>();
        for (String s : segments) {
            try {
                plain.add(URLDecoder.decode(s.replace("+", "%2B"), StandardCharsets.UTF_8));
            } catch (IllegalArgumentException e) {
                plain.add(s);
            }
        }
        return plain;
    }

    private static List<String> names(Path path) {
        List<String> names = new ArrayList<>();
        path.forEach(name -> names.add(name.toString()));
        return names;
    }

    private static void print(StringBuilder out, String reading, List<String> segments) {
        out.append(reading);
        for (String s : segments) {
            out.append(" x").append(HexFormat.of().formatHex(s.getBytes(StandardCharsets.UTF_8)));
        }
        out.append('\n');
    }
}
