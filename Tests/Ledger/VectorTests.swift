import Canonical
import LedgerCore
import Testing

/// Published vectors: what we compute is what everybody computes.
struct VectorTests {
  @Test func libsodiumJudgesTheTwelveDisputedSignaturesAsPublished() throws {
    try Ed25519.selfTest()
    let pattern = SpeccheckVector.all.map {
      Ed25519.isValid($0.signature, of: $0.message, by: $0.publicKey) ? "V" : "X"
    }
    #expect(pattern.joined() == "XXXVXXXXXXXX")
    #expect(SpeccheckVector.all.allSatisfy { $0.signature.count == 64 && $0.publicKey.count == 32 })
  }

  /// RFC 8032, section 7.1, tests 1 to 3.
  @Test(arguments: [
    (
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ),
    (
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
    (
      "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ),
  ])
  func signaturesAreThoseOfRFC8032(seed: String, key: String, message: String, signature: String) throws {
    let secret = try #require(octets(hexadecimal: seed))
    let pair = try #require(KeyPair(seed: secret))
    let text = try #require(octets(hexadecimal: message))
    #expect(pair.account.description == key)
    #expect(hexadecimal(pair.sign(text)) == signature)
    #expect(Ed25519.isValid(pair.sign(text), of: text, by: pair.account.bytes))
  }

  /// Leaves and roots of transparency-dev/merkle, `testonly/constants.go`.
  @Test func merkleRootsAreThoseOfRFC6962() throws {
    let leaves = try [
      "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    .map { try #require(octets(hexadecimal: $0)) }
    let roots = [
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    for (count, root) in roots.enumerated() {
      #expect(MerkleTree.root(of: Array(leaves.prefix(count))).description == root, "\(count) leaves")
    }
  }
}
