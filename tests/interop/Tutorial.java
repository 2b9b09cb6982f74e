// The tutorial through the official Java driver: create, transfer, read back, and what is refused.
// Usage: java -cp 'lib/*' Tutorial.java URL, prints one line of JSON.

import com.bigchaindb.api.AssetsApi;
import com.bigchaindb.api.BlocksApi;
import com.bigchaindb.api.MetaDataApi;
import com.bigchaindb.api.OutputsApi;
import com.bigchaindb.api.TransactionsApi;
import com.bigchaindb.builders.BigchainDbConfigBuilder;
import com.bigchaindb.builders.BigchainDbTransactionBuilder;
import com.bigchaindb.constants.Operations;
import com.bigchaindb.model.FulFill;
import com.bigchaindb.model.GenericCallback;
import com.bigchaindb.model.MetaData;
import com.bigchaindb.model.Transaction;
import com.bigchaindb.util.KeyPairUtils;
import java.security.KeyPair;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import net.i2p.crypto.eddsa.EdDSAPrivateKey;
import net.i2p.crypto.eddsa.EdDSAPublicKey;
import okhttp3.Response;

class Tutorial {
    static EdDSAPublicKey open(KeyPair pair) {
        return (EdDSAPublicKey) pair.getPublic();
    }

    static EdDSAPrivateKey secret(KeyPair pair) {
        return (EdDSAPrivateKey) pair.getPrivate();
    }

    static MetaData metadata(String name, String value) {
        MetaData made = new MetaData();
        made.setMetaData(name, value);
        return made;
    }

    static Transaction create(KeyPair owner) throws Exception {
        Map<String, String> data = new TreeMap<>();
        data.put("manufacturer", "bmw");
        data.put("serial", "VIN1234");
        return BigchainDbTransactionBuilder.init()
                .addAssets(data, TreeMap.class)
                .addMetaData(metadata("mileage", "zero kilometres"))
                .operation(Operations.CREATE)
                .buildAndSignOnly(open(owner), secret(owner));
    }

    static Transaction transfer(Transaction made, KeyPair from, KeyPair to, KeyPair signer)
            throws Exception {
        FulFill spent = new FulFill();
        spent.setTransactionId(made.getId());
        spent.setOutputIndex(0);
        return BigchainDbTransactionBuilder.init()
                .addInput(null, spent, open(from))
                .addOutput("1", open(to))
                .addAssets(made.getId(), String.class)
                .addMetaData(metadata("sold", "yes"))
                .operation(Operations.TRANSFER)
                .buildAndSignOnly(open(from), secret(signer));
    }

    static int send(Transaction tx) throws Exception {
        CompletableFuture<Integer> status = new CompletableFuture<>();
        TransactionsApi.sendTransaction(tx, new GenericCallback() {
            public void pushedSuccessfully(Response response) {
                status.complete(response.code());
            }

            public void transactionMalformed(Response response) {
                status.complete(response.code());
            }

            public void otherError(Response response) {
                status.complete(response.code());
            }
        });
        return status.get(30, TimeUnit.SECONDS);
    }

    public static void main(String[] args) throws Exception {
        BigchainDbConfigBuilder.baseUrl(args[0]).setup();
        KeyPair alice = KeyPairUtils.generateNewKeyPair();
        KeyPair bob = KeyPairUtils.generateNewKeyPair();
        Map<String, Object> seen = new LinkedHashMap<>();

        Transaction made = create(alice);
        seen.put("created", send(made));
        seen.put("again", send(made));
        seen.put("wrongKey", send(transfer(made, alice, bob, bob)));
        Transaction sold = transfer(made, alice, bob, alice);
        seen.put("transferred", send(sold));
        seen.put("doubleSpend", send(transfer(made, alice, alice, alice)));

        Transaction read = TransactionsApi.getTransactionById(sold.getId());
        seen.put("same", read.getId().equals(sold.getId()) ? 1 : 0);
        seen.put("history", TransactionsApi.getTransactionsByAssetId(
                made.getId(), Operations.TRANSFER).getTransactions().size());
        String aliceKey = KeyPairUtils.encodePublicKeyInBase58(open(alice));
        String bobKey = KeyPairUtils.encodePublicKeyInBase58(open(bob));
        seen.put("spent", OutputsApi.getSpentOutputs(aliceKey).getOutput().size());
        seen.put("unspent", OutputsApi.getUnspentOutputs(bobKey).getOutput().size());
        seen.put("assets", AssetsApi.getAssets("bmw").size());
        seen.put("metadata", MetaDataApi.getMetaData("kilometres").size());
        seen.put("blocks", BlocksApi.getBlocksByTransactionId(sold.getId()).size());

        StringBuilder json = new StringBuilder();
        for (Map.Entry<String, Object> entry : seen.entrySet()) {
            json.append(json.length() == 0 ? "{" : ",");
            json.append('"').append(entry.getKey()).append("\":").append(entry.getValue());
        }
        System.out.println(json.append('}'));
        System.exit(0);
    }
}
