# ruff: noqa: E501 - rows of tables are read whole
"""Names of places, streets and estates. Made up from common name parts unless a source is given beside them."""

from __future__ import annotations

_FIRST = (
    "新:Xin 东:Dong 海:Hai 洋:Yang 泥:Ni 书:Shu 万:Wan 祥:Xiang 桃:Tao 竹:Zhu 石:Shi 三:San 五:Wu 中:Zhong 余:Yu 洪:Hong 横:Heng 小:Xiao "
    "老:Lao 金:Jin 塘:Tang 盐:Yan 龙:Long 云:Yun 永:Yong 公:Gong 人:Ren 兴:Xing 丽:Li 彭:Peng 千:Qian 杏:Xing 银:Yin 棉:Mian 芦:Lu"
)
_SECOND = "港:gang 桥:qiao 庄:zhuang 塘:tang 灶:zao 墩:dun 洼:wa 滨:bin 湾:wan 浜:bang 圩:wei 角:jiao 泐:le 欣:xin 胜:sheng 民:min 乐:le 丰:feng 星:xing 建:jian"
_PLANTS = (
    "紫藤:Ziteng 海棠:Haitang 丁香:Dingxiang 玉兰:Yulan 水杉:Shuishan 银杏:Yinxing 含笑:Hanxiao 石楠:Shinan 木槿:Mujin 芦苇:Luwei 香樟:Xiangzhang "
    "白杨:Baiyang 月季:Yueji 桂花:Guihua 蔷薇:Qiangwei 菖蒲:Changpu 合欢:Hehuan 枫香:Fengxiang 栀子:Zhizi 秋菊:Qiuju 马鞍:Maan 乌柏:Wubai 榉树:Jushu "
    "楝树:Lianshu 夹竹:Jiazhu 迎春:Yingchun 连翘:Lianqiao 金桂:Jingui 绣球:Xiuqiu 蓝莓:Lanmei"
)
_ESTATES = "苑:Garden 家园:Homes 名邸:Residence 佳苑:Court 新村:New Village 华庭:Hall 景园:Park 花园:Gardens 公寓:Apartments 丽舍:House 雅苑:Terrace 湾:Bay"
FIRM_KINDS = (
    "机械有限公司:Machinery 新材料有限公司:New Materials 物流有限公司:Logistics 汽车零部件有限公司:Auto Parts 重工有限公司:Heavy Industry "
    "电子科技有限公司:Electronics 仓储有限公司:Storage 食品有限公司:Foods 海洋装备有限公司:Marine Equipment 生物医药有限公司:Biopharma"
)
# Streets named in the sources of the lake city, between the rings.
LAKE_STREETS = "茉莉:Moli 铃兰:Linglan 杞青:Qiqing 橄榄:Ganlan 雪绒花:Xueronghua"


def _pairs(text: str) -> list[tuple[str, str]]:
    """Split ``"中:Zhong ..."``; a word without a colon belongs to the English of the one before it."""
    pairs: list[tuple[str, str]] = []
    for word in text.split():
        if ":" in word:
            chinese, english = word.split(":")
            pairs.append((chinese, english))
        else:
            pairs[-1] = (pairs[-1][0], f"{pairs[-1][1]} {word}")
    return pairs


FIRST, SECOND, PLANTS, ESTATES = _pairs(_FIRST), _pairs(_SECOND), _pairs(_PLANTS), _pairs(_ESTATES)
FIRMS, LAKE = _pairs(FIRM_KINDS), _pairs(LAKE_STREETS)


def village(index: int) -> tuple[str, str]:
    """Return the name of a village or neighbourhood, without repeats for the first 700."""
    first = FIRST[(index * 11) % len(FIRST)]
    second = SECOND[(index * 7 + index // len(FIRST)) % len(SECOND)]
    return first[0] + second[0], first[1] + second[1]


def street(index: int) -> tuple[str, str]:
    """Return the name of a street; plant names first, as in the new city, then village names."""
    if index < len(PLANTS):
        return PLANTS[index][0] + "路", PLANTS[index][1] + " Road"
    chinese, english = village(index * 3 + 5)
    return chinese + "路", english + " Road"


def estate(index: int) -> tuple[str, str]:
    """Return the name of a housing estate."""
    chinese, english = village(index * 5 + 2)
    kind = ESTATES[(index * 5) % len(ESTATES)]
    return chinese + kind[0], f"{english} {kind[1]}"


def firm(index: int) -> tuple[str, str]:
    """Return the name of a works."""
    chinese, english = village(index * 13 + 1)
    kind = FIRMS[(index * 3) % len(FIRMS)]
    return chinese + kind[0], f"{english} {kind[1]} Co."


def named(chinese: str, english: str) -> dict[str, str]:
    """Return the three name tags of an object."""
    return {"name": chinese, "name:zh": chinese, "name:en": english}
