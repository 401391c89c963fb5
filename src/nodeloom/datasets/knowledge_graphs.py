"""The known knowledge graphs. Data only."""

from __future__ import annotations

from nodeloom.datasets import conversion
from nodeloom.datasets.recipes import Dataset, Recipe, Source

SPLITS = ("train", "valid", "test")

_KGE = "https://raw.githubusercontent.com/DeepGraphLearning/KnowledgeGraphEmbedding/2e440e0f9c687314d5ff67ead68ce985dc446e3a/data"
_CODEX = "https://raw.githubusercontent.com/tsafavi/codex/3132e426c2a6b643b70bad679905a3a6270be440/data/triples"
_PYKEEN = "https://raw.githubusercontent.com/pykeen/pykeen/05c7bbb20c952f3e5e958e694344ace4005b1bbb/src/pykeen/datasets"
_WIKIDATA5M = Source(("https://www.dropbox.com/s/dty6ufe1gg6keuc/wikidata5m.txt.gz?dl=1",))


def _files(folder: str, *sha256: str | None) -> tuple[Recipe, ...]:
    """Return the recipes of three files of triples, each of which is a split."""
    return tuple(
        Recipe((split,), (Source((f"{folder}/{split}.txt",), checksum),), convert=conversion.copy_text)
        for split, checksum in zip(SPLITS, sha256, strict=True)
    )


_FREEBASE = "Freebase data: CC BY 2.5"
_WORDNET = "WordNet 3.0 licence (Princeton University)"

KNOWLEDGE_GRAPHS = (
    Dataset(
        "wordnet-mini",
        "a part of WordNet 3.1: what places, persons and things are, and what they are part of",
        tuple(Recipe((split,)) for split in SPLITS),
        "WordNet 3.1 licence (Princeton University); comes with the package",
        9_067,
        17_147,
        packaged=True,
        num_relations=7,
    ),
    Dataset(
        "fb15k",
        "facts of Freebase; 4 of 5 test triples are told by an inverse relation (Bordes et al. 2013)",
        _files(f"{_KGE}/FB15k", None, "471929cde9cf74b1caa8348c2b601c8010d6b2f2a56bae49b4ebfd14c9bce855", None),
        _FREEBASE,
        14_951,
        592_213,
        num_relations=1345,
    ),
    Dataset(
        "fb15k237",
        "FB15k without its inverse relations (Toutanova and Chen 2015)",
        _files(
            f"{_KGE}/FB15k-237",
            None,
            "cf6309010852f6a8d47a45df830a426415d1ee6f7a3970a8376ff1fb81db4a5c",
            "5711cf41623ceb4eacc50eb6108a3ca6565c7492e3caaf82a3e355cc660d1574",
        ),
        _FREEBASE,
        14_541,
        310_116,
        num_relations=237,
    ),
    Dataset(
        "wn18",
        "synsets of WordNet; nearly all test triples are told by an inverse relation (Bordes et al. 2013)",
        _files(
            f"{_KGE}/wn18",
            None,
            "13347bfb5e17d1cae003e0bfe29b4716d3ab748e8cfb6af997138d37da3a51dc",
            "d22c19d176d4ba6a6f0d0c6bfce39ab3c16e3b20e1df6f9efe0d9ed86542fa10",
        ),
        _WORDNET,
        40_943,
        151_442,
        num_relations=18,
    ),
    Dataset(
        "wn18rr",
        "WN18 without its inverse relations; symmetric ones are left (Dettmers et al. 2018)",
        _files(
            f"{_KGE}/wn18rr",
            "038612e783c215ee5f3ca9fbfca27b8d0739be1028fe4ee7c174aecf0b83d5df",
            "453ce7202afa58094a04d2b1560ee2b02660f1c260b32ce6651c8ccedd1028ab",
            "0383bceaaa1096cf3c03ec021ed0048068e2355dbfc0239b292cefdac821cec5",
        ),
        _WORDNET,
        40_943,
        93_003,
        num_relations=11,
    ),
    Dataset(
        "codex-s",
        "facts of Wikidata and Wikipedia, the small one (Safavi and Koutra 2020)",
        _files(
            f"{_CODEX}/codex-s",
            "64f93b7f314f3936a6f65739721429db3f6a7c8f5a1e1104ec3bb544f7434f59",
            "3831c0e57daef03c3a18cdd1a72e370b496f696c5218883d35c7d2ab8a6a772c",
            "27127fcb34688c4778e88a39ef3c9b540807da846021e9d9685660ac1838aca1",
        ),
        "MIT (data of Wikidata: CC0)",
        2_034,
        36_543,
        num_relations=42,
    ),
    Dataset(
        "codex-m",
        "facts of Wikidata and Wikipedia, the middle one (Safavi and Koutra 2020)",
        _files(
            f"{_CODEX}/codex-m",
            "d99c3437ab51690391a26d96976adf6e5494dba7ef6902e77000551bfa566556",
            "11c323096367354940846b9ed940c5dabddc1d20a70474222babe7e7fd28b28d",
            "0575ce05e4ce915e395bb4f708e8df9547989dd4c8c71407cbfd78c19daffcf7",
        ),
        "MIT (data of Wikidata: CC0)",
        17_050,
        206_205,
        num_relations=51,
    ),
    Dataset(
        "nations",
        "relations between 14 nations (Kemp et al. 2006)",
        _files(
            f"{_PYKEEN}/nations",
            "0830fa9da8e5bba2ccdaa45b7bdc9130451ba66b09ff2708f35fccaf82473e57",
            "2b337a62e51a2f45c283eac98a70d21b7e0e102136be1539b2a52c652a7b0530",
            "3971085165b47b6aeaec68058c6d8d98b3005e929db81268410b95ae4db770ab",
        ),
        "no licence stated for the data (as in PyKEEN)",
        14,
        1_992,
        num_relations=55,
    ),
    Dataset(
        "kinships",
        "kinship in the Alyawarra tribe (Kemp et al. 2006)",
        _files(
            f"{_PYKEEN}/kinships",
            "738612111a6acf0e39662bde24c7e72a4d1edf20931beea077da367dda689731",
            "c56f8630a583178b1e569f11a64aa535ae1ce0b0912d8b1e24716be2b37f04da",
            "05e5733265761d55be9c05bfaff5a8d0808df46f9c1e9d66cc3f2fe114e43d88",
        ),
        "no licence stated for the data (as in PyKEEN)",
        104,
        10_686,
        num_relations=25,
    ),
    Dataset(
        "umls",
        "concepts of the Unified Medical Language System (Kemp et al. 2006)",
        _files(
            f"{_PYKEEN}/umls",
            "873ef4925516b83e7f6f8cc02b4be51d848828710a7f65a956f0ac4a9e452f35",
            "025c98f8a4891e2a6582ec5b40ee0d904031edad9c52554522f4b7904820c98e",
            "a7eb529a3d2810fcc96341ccc97c625a5e202f8389673aa6bd317eeebbb79014",
        ),
        "no licence stated for the data (as in PyKEEN)",
        135,
        6_529,
        num_relations=46,
    ),
    Dataset(
        "wikidata5m",
        "facts of Wikidata about the entities of Wikipedia; splits as in GraphVite (Wang et al. 2021)",
        (Recipe(SPLITS, (_WIKIDATA5M,), convert=conversion.line_split((4000, 1, 1))),),
        "Wikidata: CC0",
        4_594_485,
        20_624_575,
        num_relations=822,
    ),
)
"""As registered; see :data:`nodeloom.datasets.DATASETS`."""
