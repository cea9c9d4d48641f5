import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/**
 * One OpenSearch node made of the published libraries: HOME HTTP_PORT [SETTING=VALUE]... It ends with its standard
 * input, so that it does not outlive the test that started it.
 */
public final class SearchNode {
    private static final class Bare extends Node {
        Bare(Environment environment) {
            super(environment, List.of(Netty4Plugin.class), false);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Thread watch = new Thread(SearchNode::endWithStandardInput);
        watch.setDaemon(true);
        watch.start();
        Settings.Builder settings = Settings.builder()
            .put("cluster.name", "hydrant-tests")
            .put("node.name", "only")
            .put("path.home", Path.of(arguments[0]).toAbsolutePath().toString())
            .put("network.host", "127.0.0.1")
            .put("http.port", arguments[1])
            .put("transport.port", "0")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
        for (int at = 2; at < arguments.length; at++) {
            String[] pair = arguments[at].split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "only");
        new Bare(environment).start();
        watch.join();
    }

    private static void endWithStandardInput() {
        try {
            while (System.in.read() != -1) {
            }
        } catch (IOException gone) {
            // As good as the end.
        }
        Runtime.getRuntime().halt(0);
    }
}
