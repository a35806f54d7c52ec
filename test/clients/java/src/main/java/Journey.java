import com.eatthepath.otp.TimeBasedOneTimePasswordGenerator;
import com.google.gson.Gson;
import java.io.BufferedReader;
import java.io.Reader;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.spec.SecretKeySpec;
import okhttp3.Response;
import org.apache.commons.codec.binary.Base32;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.JSON;
import org.openapitools.client.api.AuditApi;
import org.openapitools.client.api.IdentitiesApi;
import org.openapitools.client.api.OneTimePasswordsApi;
import org.openapitools.client.model.AuditEvent;
import org.openapitools.client.model.ConfigureOtpInput;
import org.openapitools.client.model.ConfigureOtpInputOtp;
import org.openapitools.client.model.Error;
import org.openapitools.client.model.ProvisionUserInput;
import org.openapitools.client.model.ProvisionUserInputUser;
import org.openapitools.client.model.VerifyOtpInput;
import org.openapitools.client.model.VerifyOtpInputOtp;

/** The journey with a client that openapi-generator generated. */
public final class Journey {
  private static final String USER = "ORG_USR_9921_AFG";

  private interface Call {
    Object send() throws ApiException;
  }

  private record Refusal(int http, Error error) {}

  /** Prints what a step read, for the check to compare: names and values in turn. */
  private static void report(String step, Object... read) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", step);
    for (int index = 0; index < read.length; index += 2) {
      line.put((String) read[index], read[index + 1]);
    }
    System.out.println(new Gson().toJson(line));
  }

  private static Refusal refusalOf(Call call) throws Exception {
    try {
      call.send();
    } catch (ApiException refused) {
      return new Refusal(refused.getCode(), Error.fromJson(refused.getResponseBody()));
    }
    throw new IllegalStateException("The request was not refused");
  }

  private static VerifyOtpInput attempt(String code) {
    return new VerifyOtpInput().otp(new VerifyOtpInputOtp().id(USER).code(code));
  }

  private static String wrong(String code) {
    return String.format("%06d", (Integer.parseInt(code) + 1) % 1_000_000);
  }

  private static String currentCode(String secret) throws Exception {
    TimeBasedOneTimePasswordGenerator totp = new TimeBasedOneTimePasswordGenerator();
    byte[] key = new Base32().decode(secret);
    return totp.generateOneTimePasswordString(
        new SecretKeySpec(key, totp.getAlgorithm()), Instant.now());
  }

  private static List<String> exportActions(AuditApi audit) throws Exception {
    try (Response answer = audit.exportAudit().buildCall(null).execute();
        Reader body = answer.body().charStream()) {
      List<String> actions = new ArrayList<>();
      for (String line : (Iterable<String>) new BufferedReader(body).lines()::iterator) {
        actions.add(AuditEvent.fromJson(line).getAction());
      }
      return actions;
    }
  }

  public static void main(String[] arguments) throws Exception {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv("IDP_URL"));
    client.setBearerToken(System.getenv("IDP_TOKEN"));
    IdentitiesApi identities = new IdentitiesApi(client);
    OneTimePasswordsApi passwords = new OneTimePasswordsApi(client);
    AuditApi audit = new AuditApi(client);

    var provision = new ProvisionUserInput().user(new ProvisionUserInputUser().externalId(USER));
    var provisioned = identities.provisionUser(provision).execute().getUser();
    report(
        "provision",
        "external_id", provisioned.getExternalId(),
        "status", provisioned.getStatus());

    var names =
        new ConfigureOtpInputOtp().issuerName("Acme").accountName("alexander@enterprise.com");
    var enrolled =
        passwords.configureOtp(USER, new ConfigureOtpInput().otp(names)).execute().getUser();
    report("enrol", "is_setup_complete", enrolled.getIsSetupComplete());

    String code = currentCode(enrolled.getNewOtpSecret());
    var refused = refusalOf(() -> passwords.verifyOtp(attempt(wrong(code))).execute());
    report(
        "wrong code",
        "http", refused.http(),
        "code", refused.error().getCode(),
        "attempts_remaining", refused.error().getAttemptsRemaining());

    var verified = passwords.verifyOtp(attempt(code)).execute();
    report(
        "verify",
        "id", verified.getId(),
        "status", verified.getStatus(),
        "method", verified.getMethod());

    var page = identities.listUsers().limit(10).execute();
    report(
        "list",
        "users",
        page.getUsers().stream().map(one -> one.getExternalId() + " " + one.getStatus()).toList(),
        "has_more", page.getHasMore());

    var head = audit.getCheckpoint().execute().getCheckpoint();
    List<String> actions = exportActions(audit);
    report("export", "is_complete", actions.size() >= head.getTreeSize(), "actions", actions);

    var unknown = refusalOf(() -> identities.getUser("nobody").execute());
    report("unknown user", "http", unknown.http(), "code", unknown.error().getCode());
  }
}
